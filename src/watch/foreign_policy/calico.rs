//! The expressions by which Calico selects.

use super::both::{Both, NAME};
use crate::model::{Expression, Name, Operator, Subject};

/// Keys that begin so are Calico's own, and no labels of pods.
const OWN: &str = "projectcalico.org/";

/// Returns whom a policy selects by its two expressions; none where that is no pod. What is not
/// understood selects what may be meant.
pub(super) fn subject(pods: Option<&str>, namespaces: Option<&str>) -> Option<Subject> {
    let mut both = Both::default();
    for mut expression in expressions(namespaces.unwrap_or_default()) {
        // What is in no namespace.
        if *expression.key == *"global()" {
            return None;
        }
        if *expression.key == *"projectcalico.org/name" {
            expression.key = NAME.into();
        }
        both.namespaces.push(expression);
    }
    for mut expression in expressions(pods.unwrap_or_default()) {
        if *expression.key == *"projectcalico.org/namespace" {
            expression.key = NAME.into();
            both.namespaces.push(expression);
        } else if !expression.key.starts_with(OWN) && *expression.key != *"global()" {
            both.pods.push(expression);
        }
    }
    Some(both.subject())
}

/// Returns what an expression asks for, all of it together.
fn expressions(text: &str) -> Vec<Expression> {
    let text = text.trim();
    if text.is_empty() {
        return Vec::new();
    }
    let parts: Option<Vec<Option<Expression>>> =
        if text.contains("||") { None } else { text.split("&&").map(part).collect() };
    parts.map_or_else(
        || vec![expression("", Operator::Other, Vec::new())],
        |all| all.into_iter().flatten().collect(),
    )
}

/// Reads one part; what selects everything asks for nothing, and what is not understood is none.
fn part(text: &str) -> Option<Option<Expression>> {
    let text = text.trim();
    match text {
        "all()" => return Some(None),
        "global()" => return Some(Some(expression("global()", Operator::Exists, Vec::new()))),
        _ => {}
    }
    let call =
        |text: &'_ str| Some(text.strip_prefix("has(")?.strip_suffix(')')?.trim().to_owned());
    let found = if let Some(text) = text.strip_prefix('!') {
        expression(key(&call(text.trim())?)?, Operator::DoesNotExist, Vec::new())
    } else if let Some(text) = call(text) {
        expression(key(&text)?, Operator::Exists, Vec::new())
    } else if let Some((left, right)) = text.split_once("==") {
        expression(key(left)?, Operator::In, vec![value(right)?])
    } else if let Some((left, right)) = text.split_once("!=") {
        expression(key(left)?, Operator::NotIn, vec![value(right)?])
    } else {
        let (left, right) = text.split_once('{')?;
        let values = right.trim().strip_suffix('}')?.split(',');
        let values = values.filter(|it| !it.trim().is_empty()).map(value);
        let values: Option<Vec<Name>> = values.collect();
        let left = left.trim();
        let word = left.strip_suffix("in").filter(|it| it.ends_with(char::is_whitespace))?.trim();
        match word.strip_suffix("not").filter(|it| it.ends_with(char::is_whitespace)) {
            Some(word) => expression(key(word)?, Operator::NotIn, values?),
            None => expression(key(word)?, Operator::In, values?),
        }
    };
    Some(Some(found))
}

fn expression(key: &str, operator: Operator, values: Vec<Name>) -> Expression {
    Expression { key: key.into(), operator, values }
}

/// Returns a key, which is one word.
fn key(text: &str) -> Option<&str> {
    let text = text.trim();
    let is_of_key = |it: char| it.is_ascii_alphanumeric() || "_./-".contains(it);
    (!text.is_empty() && text.chars().all(is_of_key)).then_some(text)
}

/// Returns what stands in quotes.
fn value(text: &str) -> Option<Name> {
    let text = text.trim();
    let quote = text.chars().next().filter(|it| matches!(it, '\'' | '"'))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains(quote)).then(|| inner.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Labels;

    /// Of two namespaces and two pods, which are selected; a question mark where it is not known.
    fn selects(pods: &str, namespaces: &str) -> String {
        let Some(subject) = subject(Some(pods), Some(namespaces)) else { return "none".to_owned() };
        let shop = Labels::from([(NAME, "shop"), ("team", "a")]);
        let bank = Labels::from([(NAME, "bank")]);
        let (cart, pay) = (Labels::from([("app", "cart")]), Labels::from([("app", "pay")]));
        let mut all = Vec::new();
        for (name, namespace, pod) in
            [("shop/cart", &shop, &cart), ("shop/pay", &shop, &pay), ("bank/cart", &bank, &cart)]
        {
            let there = match &subject.namespaces {
                Some(namespaces) => namespaces.matches(namespace),
                None => Some(true),
            };
            match (there, subject.pods.matches(pod)) {
                (Some(false), _) | (_, Some(false)) => {}
                (Some(true), Some(true)) => all.push(name.to_owned()),
                _ => all.push(format!("{name}?")),
            }
        }
        all.join(" ")
    }

    #[test]
    fn an_expression_selects_as_calico_has_it_and_more_where_it_is_not_understood() {
        let all = "shop/cart shop/pay bank/cart";
        for (pods, namespaces, selected) in [
            ("", "", all),
            ("all()", "", all),
            ("app == 'cart'", "", "shop/cart bank/cart"),
            ("app==\"cart\" && has(app)", "", "shop/cart bank/cart"),
            ("app != 'cart'", "", "shop/pay"),
            ("!has(app)", "", ""),
            ("has(host-endpoint)", "", ""),
            ("ibm.role in { 'worker_public' }", "", ""),
            ("app in {'cart', \"pay\"}", "", all),
            ("app not in {'cart'}", "", "shop/pay"),
            ("projectcalico.org/namespace == 'shop' && app == 'pay'", "", "shop/pay"),
            ("projectcalico.org/namespace not in {'kube-system', 'shop'}", "", "bank/cart"),
            ("projectcalico.org/orchestrator == 'k8s'", "", all),
            ("", "projectcalico.org/name == 'bank'", "bank/cart"),
            ("", "team == 'a'", "shop/cart shop/pay"),
            ("all()", "global()", "none"),
            ("app == 'cart' || app == 'pay'", "", "shop/cart? shop/pay? bank/cart?"),
            ("app starts with 'c'", "", "shop/cart? shop/pay? bank/cart?"),
            ("(app == 'cart')", "", "shop/cart? shop/pay? bank/cart?"),
            ("app == cart", "", "shop/cart? shop/pay? bank/cart?"),
            ("app == 'a' == 'b'", "", "shop/cart? shop/pay? bank/cart?"),
            ("&&", "", "shop/cart? shop/pay? bank/cart?"),
            ("in {}", "", "shop/cart? shop/pay? bank/cart?"),
            ("app in {}", "", "shop/cart? shop/pay? bank/cart?"),
        ] {
            assert_eq!(selects(pods, namespaces), selected, "{pods:?} {namespaces:?}");
        }
    }
}
