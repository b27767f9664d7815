//! `tollgate check` and `tollgate aaa test` as a script uses them: what they print and the codes they exit with.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tollgate_tests::radius;
use tollgate_tests::tollgate::{LOOPBACK, binary, output, text};

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs")
}

/// `tollgate check` on a file of `configs/`, called there so that messages name the file alone.
fn check(file: &str, more: &[&str]) -> (String, i32) {
    let checked = Command::new(binary())
        .current_dir(configs())
        .args(["check", "--config", file])
        .args(more)
        .env_remove("TOLLGATE_TESTS_NO_SUCH_VARIABLE")
        .output()
        .expect("tollgate can be run");
    text(&checked)
}

#[test]
fn every_wrong_configuration_is_refused_with_the_words_beside_it() {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(configs()).expect("configs/ is there").flatten() {
        let name = entry.file_name().into_string().expect("plain names");
        if let Some(name) = name.strip_suffix(".toml") {
            names.insert(name.to_owned());
        }
    }
    assert!(names.len() > 60, "{} configurations", names.len());
    let mut wrong = Vec::new();
    for name in &names {
        let (said, code) = check(&format!("{name}.toml"), &[]);
        let file = configs().join(format!("{name}.expected"));
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if said != expected || code != 1 {
            wrong.push(format!("--- {name}: exit {code}\n{said}--- expected:\n{expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), names.len(), wrong.join("\n"));
}

#[test]
fn a_file_that_is_not_there_is_told_with_its_path() {
    let (said, code) = check("no-such.toml", &[]);
    assert!(said.starts_with("no-such.toml: error: cannot be read: No such file"), "{said}");
    assert!(said.contains("fix: check the path given with --config"), "{said}");
    assert_eq!(code, 1);
}

#[test]
fn json_tells_a_script_the_same_as_the_words_tell_a_person() {
    let (said, code) = check("several-at-once.toml", &["--json"]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &said["taken"]), (1, &Value::Bool(false)));
    let problems = said["problems"].as_array().expect("a list");
    assert_eq!(problems.len(), 8, "{said:#}");
    assert_eq!(problems[0]["severity"], "error");
    assert_eq!(problems[0]["file"], "several-at-once.toml");
    assert_eq!(problems[0]["line"], 2);
    assert_eq!(problems[0]["key"], "lns.hostnam");
    assert_eq!(problems[0]["fix"], "did you mean hostname?");
}

const RULES: &str = r#"
[local]
users = "users.toml"
[pool.clients]
range = "10.4.5.10-10.4.5.20"
mask = "255.255.255.0"
[group-policy.closed]
vpn-tunnel-protocol = ["ikev1"]
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
ppp-authentication = ["ms-chap-v2", "pap"]
[tunnel-group.closed]
address-pool = ["clients"]
default-group-policy = "closed"
ppp-authentication = ["pap"]
"#;

/// A folder with a configuration and the user jdoe.
fn folder(config: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("tollgate.toml");
    fs::write(&file, config).expect("writable");
    let users = folder.path().join("users.toml").display().to_string();
    let added = output(&["user", "add", "jdoe", "--mschap", "--users", &users], "j!doe1");
    assert!(added.status.success(), "{}", text(&added).0);
    (folder, file.display().to_string())
}

#[test]
fn a_good_configuration_is_taken_and_what_it_weakens_is_said() {
    let (_folder, file) = folder(&format!("{LOOPBACK}{RULES}"));
    let (said, code) = text(&output(&["check", "--config", &file], ""));
    assert_eq!(code, 0, "{said}");
    assert!(said.ends_with(": good, 0 errors, 3 warnings\n"), "{said}");
    assert!(said.contains("require-ipsec: plain L2TP is accepted"), "{said}");
    assert!(said.contains("pap over plain L2TP sends passwords in clear"), "{said}");
    let (said, code) = text(&output(&["check", "--config", &file, "--json"], ""));
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &said["taken"]), (0, &Value::Bool(true)));
    assert_eq!(said["problems"].as_array().map(Vec::len), Some(3));
}

/// `aaa test`; gives what it printed and its code.
fn test(file: &str, user: &str, method: &str, password: &str, more: &[&str]) -> (String, i32) {
    let mut all = vec!["aaa", "test", "--config", file, "--user", user, "--method", method];
    all.extend(more);
    text(&output(&all, password))
}

#[test]
fn aaa_test_exits_0_for_yes_and_1_for_no() {
    let (_folder, file) = folder(&format!("{LOOPBACK}{RULES}"));
    for method in ["pap", "ms-chap-v2", "ms-chap-v1"] {
        let (said, code) = test(&file, "jdoe", method, "j!doe1", &[]);
        let expected = if method == "ms-chap-v1" { 3 } else { 0 };
        assert_eq!(code, expected, "{method}: {said}");
    }
    let (said, code) = test(&file, "jdoe", "pap", "j!doe1", &["--json"]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &said["verdict"], &said["server"]), (0, &"accepted".into(), &"LOCAL".into()));
    assert_eq!(said["policy"]["group-policy"], "DfltGrpPolicy");
    assert_eq!(said["policy"]["address"][0], "pool clients");
    for (user, password) in [("jdoe", "wrong"), ("nobody", "j!doe1")] {
        let (said, code) = test(&file, user, "pap", password, &[]);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("rejected: "), "{said}");
    }
}

#[test]
fn aaa_test_exits_3_where_the_matrix_or_the_configuration_refuses() {
    let (_folder, file) = folder(&format!("{LOOPBACK}{RULES}"));
    for (user, method, more, words) in [
        ("jdoe", "chap", &[][..], "CHAP is not served by LOCAL (type matrix)"),
        ("jdoe", "ms-chap-v1", &[], "MS-CHAPv1 is not among the ppp-authentication methods"),
        ("jdoe", "pap", &["--tunnel-group", "nosuch"], "no tunnel group named nosuch"),
        ("jdoe", "pap", &["--server-group", "nosuch"], "no server group named nosuch"),
        ("jdoe", "pap", &["--tunnel-group", "closed"], "group policy closed does not allow l2tp-ipsec"),
        ("", "pap", &[], "the user name is empty"),
    ] {
        let (said, code) = test(&file, user, method, "j!doe1", more);
        assert_eq!(code, 3, "{user} {method} {more:?}: {said}");
        assert!(said.contains(words), "{words} in {said}");
    }
    let broken = configs().join("several-at-once.toml").display().to_string();
    let (said, code) = test(&broken, "jdoe", "pap", "j!doe1", &[]);
    assert_eq!(code, 3, "{said}");
}

#[test]
fn aaa_test_exits_2_when_no_server_answers() {
    let (authentication, accounting) = radius::free_ports(std::net::Ipv4Addr::LOCALHOST.into());
    let host = radius::host_at(authentication, accounting, "timeout = 1\nretry-interval = 1");
    let config = format!(
        "{LOOPBACK}[server-group.corp]\nprotocol = \"radius\"\n{host}[tunnel-group.DefaultRAGroup]\n\
         authentication-server-group = \"corp\"\nppp-authentication = [\"pap\"]\n"
    );
    let (_folder, file) = folder(&config);
    let (said, code) = test(&file, "jdoe", "pap", "j!doe1", &[]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("no answer: "), "{said}");
    assert!(said.contains(&format!("127.0.0.1:{authentication}")), "{said}");
}

#[test]
fn a_wrong_command_line_exits_64_and_help_has_an_example() {
    for arguments in [&["nonsense"][..], &["check", "--colour"], &["aaa", "test", "--method", "smoke"]] {
        assert_eq!(text(&output(arguments, "")).1, 64, "{arguments:?}");
    }
    for command in [
        &["serve"][..],
        &["check"],
        &["demo"],
        &["dial"],
        &["bench", "login"],
        &["bench", "data"],
        &["aaa", "test"],
        &["user", "add"],
        &["user", "passwd"],
        &["user", "delete"],
        &["user", "list"],
        &["show"],
        &["disconnect"],
    ] {
        let mut arguments = command.to_vec();
        arguments.push("--help");
        let (said, code) = text(&output(&arguments, ""));
        assert_eq!(code, 0, "{arguments:?}");
        assert!(said.contains("Example: "), "{arguments:?}: {said}");
    }
}
