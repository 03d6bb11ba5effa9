//! What can be wrong with limits and requests, and what to do about it.

use crate::check::{Code, Remedy};
use crate::model::{Fact, Pod, Service};

/// A rollout has pods of two templates.
const LONG: u64 = 60;

/// The CPU limit is so low that a few queries at once reach it.
pub static CPU_LIMIT: Code = Code::warning("coredns_resources.cpu_limit", &[Service::KIND])
    .after(LONG)
    .explain(
        "The pods that answer DNS may use a fifth of a core at most: a burst of queries is answered \
         late, although the average use is low.",
    )
    .independent()
    .remedies(&[
        LIMITS,
        LIMIT_RANGES,
        USED,
        Remedy::fix(
            concat!(
                "kubectl -n {namespace} patch {owner} -p ",
                r#"'{"spec":{"template":{"spec":{"containers":[{"name":"{container}","#,
                r#""resources":{"limits":{"cpu":"500m","memory":"512Mi"}}}]}}}}'"#,
            ),
            "replicas restart one after the other, and may use 500m of CPU and 512Mi of memory each, \
             which a container without requests asks for too; undone by kubectl rollout undo, and \
             what installed them may set it again",
        ),
        LIMITS_NOW,
    ]);

/// A container ended because its memory was used up.
pub static OOM_KILLED: Code = Code::warning("coredns_resources.oom_killed", &[Pod::KIND])
    .explain(
        "A container of a DNS pod ended within a day because its memory was used up: it begins anew \
         with an empty cache, and will end again.",
    )
    .independent()
    .remedies(&[
        Remedy::inspect("kubectl -n {namespace} describe pod {name}"),
        Remedy::inspect(
            "kubectl -n {namespace} get pods -l {selector} -o \
             'custom-columns=POD:.metadata.name,RESTARTS:.status.containerStatuses[*].restartCount,\
             LAST:.status.containerStatuses[*].lastState.terminated.reason'",
        ),
        USED,
        MORE_MEMORY,
        LIMITS_NOW,
    ]);

/// As kubeadm has it: no limit, and a request that says little.
pub static CPU_REQUEST: Code = Code::info("coredns_resources.cpu_request", &[Service::KIND])
    .after(LONG)
    .explain(
        "The pods that answer DNS ask for a tenth of a core or less and have no limit, as kubeadm \
         installs them: nothing holds them back, and on a busy node little is sure to be theirs.",
    )
    .independent()
    .remedies(&[
        USED,
        Remedy::inspect("kubectl top nodes"),
        Remedy::verify(
            "kubectl -n {namespace} get pods -l {selector} -o \
             'custom-columns=POD:.metadata.name,CPU:.spec.containers[*].resources.requests.cpu'",
        ),
    ]);

/// As kubeadm has it: what grows with the cluster may grow to 170Mi.
pub static MEMORY_LIMIT: Code = Code::info("coredns_resources.memory_limit", &[Service::KIND])
    .after(LONG)
    .explain(
        "The pods that answer DNS may use 170Mi of memory at most, as kubeadm installs them: what \
         they keep of Services and of pods grows with the cluster.",
    )
    .independent()
    .remedies(&[LIMITS, USED, MORE_MEMORY, LIMITS_NOW]);

const LIMITS_OF_PODS: &str = concat!(
    "kubectl -n {namespace} get pods -l {selector} -o ",
    "'custom-columns=POD:.metadata.name,CPU:.spec.containers[*].resources.limits.cpu,",
    "MEMORY:.spec.containers[*].resources.limits.memory'",
);

const LIMITS: Remedy = Remedy::inspect(LIMITS_OF_PODS);

const LIMITS_NOW: Remedy = Remedy::verify(LIMITS_OF_PODS);

const LIMIT_RANGES: Remedy = Remedy::inspect("kubectl -n {namespace} get limitranges");

const USED: Remedy = Remedy::inspect("kubectl -n {namespace} top pods -l {selector} --containers");

const MORE_MEMORY: Remedy = Remedy::fix(
    concat!(
        "kubectl -n {namespace} patch {owner} -p ",
        r#"'{"spec":{"template":{"spec":{"containers":[{"name":"{container}","#,
        r#""resources":{"limits":{"memory":"512Mi"}}}]}}}}'"#,
    ),
    "replicas restart one after the other, with empty caches, and may use 512Mi of memory each, \
     which a container without requests asks for too; undone by kubectl rollout undo, and what \
     installed them may set it again",
);
