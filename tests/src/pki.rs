//! Certificates for tests, made by `openssl`: an authority, what it issued and what it revoked.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::need;

/// A certificate with its key and those who vouch for it, all in PEM.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its private key (PKCS #8).
    pub key: String,
    /// The authorities' certificates, the issuer's first.
    pub authorities: Vec<String>,
}

/// An authority in a folder of its own.
pub struct Authority {
    folder: TempDir,
    /// The authorities above it.
    above: Vec<String>,
}

/// `openssl ca` and the extensions of each kind of certificate.
const SETTINGS: &str = r#"
[ca]
default_ca = own
[own]
dir = .
database = index.txt
new_certs_dir = .
serial = serial
crlnumber = crlnumber
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
copy_extensions = copy
unique_subject = no
[any]
countryName = optional
stateOrProvinceName = optional
localityName = optional
organizationName = optional
organizationalUnitName = optional
commonName = optional
emailAddress = optional
[req]
distinguished_name = none
[none]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[end]
basicConstraints = CA:FALSE
keyUsage = digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth,clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[server-only]
basicConstraints = CA:FALSE
keyUsage = digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth
"#;

impl Authority {
    /// An authority that signed itself, with a subject such as `/O=Corp/CN=Corp CA`.
    pub fn new(subject: &str) -> Self {
        let authority = Self { folder: folder(), above: Vec::new() };
        authority.openssl(&[
            "req",
            "-x509",
            "-config",
            "settings",
            "-extensions",
            "authority",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "30",
            "-subj",
            subject,
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ]);
        authority
    }

    /// An authority below this one.
    pub fn intermediate(&self, subject: &str) -> Self {
        let issued = self.sign(subject, None, "authority", &[]);
        let authority = Self { folder: folder(), above: issued.authorities };
        fs::write(authority.folder.path().join("ca.pem"), issued.certificate).expect("writable");
        fs::write(authority.folder.path().join("ca.key"), issued.key).expect("writable");
        authority
    }

    /// Its certificate in PEM.
    pub fn certificate(&self) -> String {
        self.read("ca.pem")
    }

    /// A certificate for a peer: a subject such as `/O=Corp/OU=sales/CN=pc1` and alternative names in openssl's words
    /// (`DNS:vpn.example.net,IP:198.51.100.1`), if any.
    pub fn issue(&self, subject: &str, names: Option<&str>) -> Issued {
        self.sign(subject, names, "end", &[])
    }

    /// The same with more arguments for `openssl ca`, such as `-startdate`, `-enddate`, `-md sha1`,
    /// `-extensions server-only`.
    pub fn issue_with(&self, subject: &str, names: Option<&str>, more: &[&str]) -> Issued {
        self.sign(subject, names, "end", more)
    }

    /// Takes a certificate back.
    pub fn revoke(&self, issued: &Issued) {
        fs::write(self.folder.path().join("bad.pem"), &issued.certificate).expect("writable");
        self.openssl(&["ca", "-config", "settings", "-revoke", "bad.pem"]);
    }

    /// The list of what was revoked, in PEM.
    pub fn revocations(&self) -> String {
        self.openssl(&["ca", "-config", "settings", "-gencrl", "-out", "crl.pem"]);
        self.read("crl.pem")
    }

    fn sign(&self, subject: &str, names: Option<&str>, kind: &str, more: &[&str]) -> Issued {
        let mut request = vec![
            "req", "-new", "-config", "settings", "-newkey", "rsa:2048", "-nodes", "-subj", subject,
            "-keyout", "new.key", "-out", "new.csr",
        ];
        let extension = names.map(|names| format!("subjectAltName={names}"));
        if let Some(extension) = &extension {
            request.extend(["-addext", extension]);
        }
        self.openssl(&request);
        let mut sign = vec![
            "ca",
            "-batch",
            "-notext",
            "-config",
            "settings",
            "-extensions",
            kind,
            "-preserveDN",
            "-rand_serial",
            "-in",
            "new.csr",
            "-out",
            "new.pem",
        ];
        sign.extend(more);
        self.openssl(&sign);
        let mut authorities = vec![self.certificate()];
        authorities.extend(self.above.iter().cloned());
        Issued { certificate: self.read("new.pem"), key: self.read("new.key"), authorities }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).expect("openssl wrote it")
    }

    fn openssl(&self, arguments: &[&str]) {
        openssl(self.folder.path(), arguments);
    }
}

/// Certificate, key and authorities in one file (PKCS #12).
pub fn pkcs12(issued: &Issued, name: &str, password: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let write = |name: &str, content: &str| fs::write(folder.path().join(name), content).expect("writable");
    write("own.pem", &issued.certificate);
    write("own.key", &issued.key);
    write("ca.pem", &issued.authorities.concat());
    let password = format!("pass:{password}");
    openssl(
        folder.path(),
        &[
            "pkcs12",
            "-export",
            "-in",
            "own.pem",
            "-inkey",
            "own.key",
            "-certfile",
            "ca.pem",
            "-name",
            name,
            "-passout",
            &password,
            "-out",
            "own.p12",
        ],
    );
    fs::read(folder.path().join("own.p12")).expect("openssl wrote it")
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for (name, content) in
        [("settings", SETTINGS), ("index.txt", ""), ("serial", "01\n"), ("crlnumber", "01\n")]
    {
        fs::write(folder.path().join(name), content).expect("writable");
    }
    folder
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new(need::program("openssl"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("openssl can be run");
    assert!(
        output.status.success(),
        "openssl {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}
