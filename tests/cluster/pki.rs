//! The cluster's certificates and kubeconfigs, and the key of its service accounts.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};

use crate::plan::{API_IP, API_URL, KUBERNETES_IP};

/// A folder with all of it.
#[derive(Debug)]
pub(crate) struct Pki {
    folder: PathBuf,
}

/// Signs what the cluster's members show to each other.
struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Pki {
    /// Makes everything for a cluster with these nodes, by name and address.
    pub(crate) fn make(folder: &Path, nodes: &[(String, String)]) -> Self {
        fs::create_dir_all(folder).expect("the lab's folder can be written");
        let authority = Authority::make(folder);
        let server = [
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "localhost",
            KUBERNETES_IP,
            API_IP,
            "127.0.0.1",
        ];
        authority.sign("apiserver", "kube-apiserver", None, &server);
        let masters = Some("system:masters");
        authority.sign("kubelet-client", "kube-apiserver-kubelet-client", masters, &[]);
        let users = [
            ("admin", "admin", masters),
            ("controller-manager", "system:kube-controller-manager", None),
            ("scheduler", "system:kube-scheduler", None),
            ("proxy", "system:kube-proxy", None),
        ];
        for (file, name, group) in users {
            authority.sign(file, name, group, &[]);
            authority.kubeconfig(file);
        }
        for (node, address) in nodes {
            authority.sign(
                node,
                &format!("system:node:{node}"),
                Some("system:nodes"),
                &[node, address],
            );
            authority.kubeconfig(node);
        }
        let accounts = KeyPair::generate().expect("ring makes keys");
        write(folder, "accounts.key", &accounts.serialize_pem());
        write(folder, "accounts.pub", &accounts.public_key_pem());
        Self { folder: folder.to_owned() }
    }

    /// The path of one file.
    pub(crate) fn path(&self, file: &str) -> String {
        self.folder.join(file).display().to_string()
    }

    /// The kubeconfig of a user: `admin`, a component, a node.
    pub(crate) fn kubeconfig(&self, user: &str) -> String {
        self.path(&format!("{user}.kubeconfig"))
    }
}

impl Authority {
    fn make(folder: &Path) -> Self {
        let key = KeyPair::generate().expect("ring makes keys");
        let mut params = params("testbed-ca", None, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages.clear();
        let certificate = params.self_signed(&key).expect("the parameters are complete");
        write(folder, "ca.crt", &certificate.pem());
        Self { folder: folder.to_owned(), issuer: Issuer::new(params, key) }
    }

    fn sign(&self, file: &str, name: &str, group: Option<&str>, names: &[&str]) {
        let key = KeyPair::generate().expect("ring makes keys");
        let params = params(name, group, names);
        let certificate =
            params.signed_by(&key, &self.issuer).expect("the parameters are complete");
        write(&self.folder, &format!("{file}.crt"), &certificate.pem());
        write(&self.folder, &format!("{file}.key"), &key.serialize_pem());
    }

    fn kubeconfig(&self, user: &str) {
        let at = self.folder.display();
        let text = format!(
            "apiVersion: v1
kind: Config
clusters: [{{name: lab, cluster: {{server: \"{API_URL}\", certificate-authority: \"{at}/ca.crt\"}}}}]
users: [{{name: user, user: {{client-certificate: \"{at}/{user}.crt\", client-key: \"{at}/{user}.key\"}}}}]
contexts: [{{name: lab, context: {{cluster: lab, user: user}}}}]
current-context: lab
"
        );
        write(&self.folder, &format!("{user}.kubeconfig"), &text);
    }
}

fn params(name: &str, group: Option<&str>, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("the names are names or addresses");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params
}

fn write(folder: &Path, file: &str, text: &str) {
    fs::write(folder.join(file), text).expect("the lab's folder can be written");
}
