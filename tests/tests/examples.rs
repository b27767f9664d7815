//! Each configuration in `examples/` is taken as it stands, once the secrets that it names are beside it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tollgate_tests::tollgate::{output, text};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// A folder with a copy of the example and every secret and certificate that it names; the path of the copy.
fn copy(name: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let content = fs::read_to_string(examples().join(name)).expect("readable");
    for line in content.lines() {
        let named =
            ["{ file = \"", "certificate = \"", "private-key = \"", "ca = \"", "crl = [\"", "keytab = \""]
                .iter()
                .find_map(|key| line.split_once(key));
        if let Some((_, rest)) = named {
            let file = folder.path().join(rest.split('"').next().expect("a name"));
            fs::write(&file, "a secret of the test\n").expect("writable");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");
        }
    }
    let file = folder.path().join(name);
    fs::write(&file, content).expect("writable");
    (folder, file.display().to_string())
}

#[test]
fn every_example_is_taken_and_warns_only_of_what_it_means_to_weaken() {
    let mut names: Vec<_> = fs::read_dir(examples())
        .expect("examples/ is there")
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "active-directory.toml",
            "asa-closing-example.toml",
            "carrier.toml",
            "kerberos.toml",
            "l2tp-ipsec-certificates.toml",
            "l2tp-ipsec-psk.toml",
            "ldap.toml",
            "local.toml",
            "mixed.toml",
            "nt.toml",
            "radius-eap.toml",
            "radius.toml",
            "sdi.toml",
            "tacacs.toml",
            "tunnel-groups.toml"
        ]
    );
    for name in names {
        let (_folder, file) = copy(&name);
        let (said, code) = text(&output(&["check", "--config", &file], ""));
        assert_eq!(code, 0, "{name}: {said}");
        let meant = [
            "plain L2TP is accepted",
            "chap is not offered: local (server group LOCAL) does not serve it",
            "chap cannot fall back to LOCAL",
            "pap over plain L2TP sends passwords in clear",
            "ms-chap-v1 protects a password less",
        ];
        for line in said.lines().filter(|line| line.contains(": warning: ")) {
            assert!(meant.iter().any(|words| line.contains(words)), "{name}: {line}");
        }
    }
}

#[test]
fn the_closing_example_of_the_old_system_gives_what_it_gave() {
    let (folder, file) = copy("asa-closing-example.toml");
    let users = folder.path().join("users.toml").display().to_string();
    assert!(output(&["user", "add", "jdoe", "--mschap", "--users", &users], "j!doe1").status.success());
    let ask = |method: &str| {
        let arguments = ["aaa", "test", "--config", &file, "--user", "jdoe", "--method", method, "--json"];
        text(&output(&arguments, "j!doe1"))
    };
    for method in ["ms-chap-v2", "ms-chap-v1"] {
        let (said, code) = ask(method);
        assert_eq!(code, 0, "{said}");
        let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        let policy = &said["policy"];
        assert_eq!(policy["group-policy"], "sales_policy");
        assert_eq!(policy["dns"], serde_json::json!(["209.165.201.1", "209.165.201.2"]));
        assert_eq!(policy["wins"], serde_json::json!(["209.165.201.3", "209.165.201.4"]));
        assert_eq!(policy["address"], serde_json::json!(["pool sales_addresses"]));
        assert_eq!(policy["simultaneous-logins"], 3, "the old system's default");
        assert_eq!(policy["idle-timeout"], 1800, "the old system's default");
    }
    assert_eq!(ask("chap").1, 3, "not for local users");
    assert_eq!(ask("pap").1, 3, "no authentication pap");
}
