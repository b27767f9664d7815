use super::*;

/// The smallest configuration that serves somebody.
const SMALL: &str = r#"
[local]
users = "users.toml"
[pool.a]
range = "10.4.5.10-10.4.5.250"
mask = "255.255.255.0"
[tunnel-group.DefaultRAGroup]
pre-shared-key = "a key"
address-pool = ["a"]
"#;

fn read(text: &str) -> Result<Config, Problems> {
    parse(Path::new("t.toml"), text)
}

fn errors(text: &str) -> Vec<String> {
    let problems = match read(text) {
        Ok(config) => panic!("taken: {config:?}"),
        Err(problems) => problems,
    };
    problems.0.iter().filter(|problem| problem.severity == Severity::Error).map(ToString::to_string).collect()
}

fn warnings(text: &str) -> Vec<String> {
    read(text).unwrap().warnings.0.iter().map(ToString::to_string).collect()
}

#[test]
fn the_smallest_configuration_has_the_documented_defaults() {
    let config = read(SMALL).unwrap();
    assert!(config.lns.require_ipsec);
    assert_eq!(config.lns.l2tp_listen.port(), 1701);
    assert_eq!(config.lns.tunnel_hello, Duration::from_secs(60));
    assert_eq!(config.lns.inner_address, Ipv4Addr::new(10, 4, 5, 1));
    assert_eq!(config.lns.max_sessions, 65_536);
    let group = &config.tunnel_groups["DefaultRAGroup"];
    assert_eq!(group.authentication_server_group, "LOCAL");
    assert_eq!(group.default_group_policy, "DfltGrpPolicy");
    assert_eq!(group.ppp_authentication, [tollgate_aaa::AuthMethod::MsChapV2]);
    assert!(config.warnings.0.is_empty());
}

#[test]
fn every_error_is_told_at_once_with_line_key_and_fix() {
    let text = r#"
[lns]
hostnam = "vpn"
tunnel-hello = 5
[pool.a]
range = "10.4.5.250-10.4.5.10"
[server-group.corp]
protocol = "radius"
max-failed-attempts = 9
[[server-group.corp.host]]
address = "192.0.2.10"
[group-policy.sales]
dns-server = ["10.0.0.53", "nine"]
[tunnel-group.DefaultRAGroup]
address-pool = ["b"]
authentication-server-group = "crop"
pre-shared-key = "a key"
"#;
    assert_eq!(
        errors(text),
        [
            "t.toml:3: error: lns.hostnam: is not a key of this table; fix: did you mean hostname?",
            "t.toml:4: error: lns.tunnel-hello: 5 is out of range; fix: write a whole number from 10 to 300",
            "t.toml:6: error: pool.a.range: \"10.4.5.250-10.4.5.10\" is not a range such as \
             \"10.4.5.10-10.4.5.250\"; fix: write a range such as \"10.4.5.10-10.4.5.250\"",
            "t.toml:9: error: server-group.corp.max-failed-attempts: 9 is out of range; fix: write a whole number \
             from 1 to 5",
            "t.toml:10: error: server-group.corp.host.1.key: is missing; fix: write key = { file = \"radius.key\" }, \
             the secret shared with the server",
            "t.toml:13: error: group-policy.sales.dns-server.2: \"nine\" is not an IPv4 address in quotes; fix: write \
             an IPv4 address in quotes",
            "t.toml:15: error: tunnel-group.DefaultRAGroup.address-pool: names pool b, which is not configured; fix: \
             add [pool.b] with a range",
            "t.toml:16: error: tunnel-group.DefaultRAGroup.authentication-server-group: names server group crop, \
             which is not configured; fix: add [server-group.crop], or name LOCAL for the local users",
        ]
    );
}

#[test]
fn a_tunnel_group_whose_methods_leave_nothing_is_refused() {
    let text = format!("{SMALL}ppp-authentication = [\"chap\", \"eap-proxy\"]\n");
    assert_eq!(
        errors(&text),
        [
            "t.toml:10: error: tunnel-group.DefaultRAGroup.ppp-authentication: leaves nothing: chap, eap-proxy is not \
          served by local (server group LOCAL) in the type matrix; fix: name one of: pap, ms-chap-v1, ms-chap-v2"
        ]
    );
}

#[test]
fn methods_are_cut_down_to_the_matrix_in_the_operators_order() {
    let text = format!("{SMALL}ppp-authentication = [\"chap\", \"ms-chap-v2\", \"pap\"]\n");
    let config = read(&text).unwrap();
    let methods = &config.tunnel_groups["DefaultRAGroup"].ppp_authentication;
    assert_eq!(methods.iter().map(ToString::to_string).collect::<Vec<_>>(), ["ms-chap-v2", "pap"]);
    assert!(warnings(&text)[0].contains("chap is not offered: local (server group LOCAL) does not serve it"));
}

#[test]
fn what_weakens_is_warned_of() {
    let text = r##"
[lns]
require-ipsec = false
group-delimiter = "#"
[local]
[server-group.corp]
protocol = "radius"
[[server-group.corp.host]]
address = "192.0.2.10"
key = "secret"
require-message-authenticator = false
[tunnel-group.DefaultRAGroup]
authentication-server-group = "corp"
local-fallback = true
ppp-authentication = ["ms-chap-v2", "ms-chap-v1", "chap", "pap"]
strip-realm = true
"##;
    let warnings = warnings(text);
    for words in [
        "require-ipsec: plain L2TP is accepted",
        "require-message-authenticator: answers without Message-Authenticator are believed",
        "chap cannot fall back to LOCAL",
        "pap over plain L2TP sends passwords in clear",
        "ms-chap-v1 protects a password less",
        "strip-realm: changes the name that an MS-CHAPv2 response is computed with",
    ] {
        assert!(warnings.iter().any(|warning| warning.contains(words)), "{words} in {warnings:#?}");
    }
}

#[test]
fn secrets_come_inline_from_files_and_from_the_environment() {
    let folder = std::env::temp_dir().join(format!("tollgate-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("radius.key"), "from the file\n").unwrap();
    let text = |key: &str| {
        format!(
            "[server-group.corp]\nprotocol = \"radius\"\n[[server-group.corp.host]]\naddress = \"::1\"\nkey = {key}\n\
             [tunnel-group.DefaultRAGroup]\nauthentication-server-group = \"corp\"\npre-shared-key = \"a key\"\n"
        )
    };
    let key = |written: &str| {
        let config =
            parse(&folder.join("t.toml"), &text(written)).map_err(|problems| problems.to_string())?;
        Ok::<_, String>(key_of_the_first_host(&config))
    };
    assert_eq!(key("\"inline\"").unwrap(), "inline");
    assert_eq!(key("{ file = \"radius.key\" }").unwrap(), "from the file");
    assert!(key("{ file = \"nosuch\" }").unwrap_err().contains("nosuch cannot be read"));
    assert!(key("{ file = \"/dev/zero\" }").unwrap_err().contains("it is not an ordinary file"));
    assert!(key("{ env = \"TOLLGATE_NO_SUCH\" }").unwrap_err().contains("no variable TOLLGATE_NO_SUCH"));
    assert!(key("\"\"").unwrap_err().contains("is empty"));
    assert!(key("7").unwrap_err().contains("holds the number 7"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_file_that_is_none_is_told_in_words() {
    let folder = std::env::temp_dir().join(format!("tollgate-files-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let message = |name: &str, content: Option<&[u8]>| {
        let path = folder.join(name);
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        load(&path, &[]).unwrap_err().to_string()
    };
    assert!(message("", None).contains("is a directory, not a configuration file"));
    assert!(message("nosuch.toml", None).contains("cannot be read"));
    assert!(
        message("empty.toml", Some(b" \n"))
            .contains("is empty; fix: start from one of the files in examples/")
    );
    assert!(
        message("latin.toml", Some(b"[lns]\nhostname = \"\xe9\"")).contains(":2: error: is not UTF-8 text")
    );
    assert!(message("broken.toml", Some(b"[lns\n")).contains(":1: error: is not TOML"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn overrides_stand_above_the_file() {
    let source = Source::parse(Path::new("t.toml"), SMALL).unwrap();
    let overrides = ["lns.tun-name=vpn7".to_owned(), "lns.max-sessions = 5".to_owned()];
    let config = check(source.with_overrides(&overrides).unwrap()).unwrap();
    assert_eq!(config.lns.tun_name, "vpn7");
    assert_eq!(config.lns.max_sessions, 5);
}

#[test]
fn addresses_that_no_host_can_have_are_refused() {
    for range in ["0.0.0.0-0.0.0.9", "126.255.255.250-127.0.0.1", "223.255.255.250-255.255.255.255"] {
        let text = SMALL.replace("10.4.5.10-10.4.5.250", range);
        let errors = errors(&text);
        assert!(errors.iter().any(|error| error.contains("no host can have")), "{range}: {errors:?}");
    }
    for address in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"] {
        let text = format!("[lns]\ninner-address = \"{address}\"\n{SMALL}");
        let expected = format!("{address} is no host's address");
        assert!(errors(&text)[0].contains(&expected), "{address}");
    }
}

#[test]
fn a_mistyped_key_that_must_be_there_is_recognised() {
    let errors = errors(&SMALL.replace("range =", "rang ="));
    assert!(errors.iter().any(|error| error.ends_with("fix: did you mean range?")), "{errors:?}");
}

#[test]
fn a_number_beyond_every_range_is_told_as_a_number() {
    for (number, told) in [
        ("99999999999999999999", "holds the number 99999999999999999999"),
        ("0xffffffffffffffff", "holds the number 18446744073709551615"),
        (&"9".repeat(60), "holds the number"),
    ] {
        let errors = errors(&format!("[lns]\nmax-sessions = {number}\n{SMALL}"));
        assert!(errors[0].contains(told), "{errors:?}");
        assert!(errors[0].ends_with("write a whole number from 1 to 1048576"), "{errors:?}");
    }
}

#[test]
fn names_that_a_device_or_a_log_cannot_carry_are_refused() {
    for name in ["", ".", "..", "a/b", "vpn%d", "a b", "a\\u0007b", "sixteen-letters-"] {
        let errors = errors(&format!("[lns]\ntun-name = \"{name}\"\n{SMALL}"));
        assert!(errors[0].contains("lns.tun-name: is not a device name"), "{name}: {errors:?}");
    }
    let errors = errors(&format!("[lns]\nhostname = \"a\\nb\"\n{SMALL}"));
    assert!(errors[0].contains("lns.hostname"), "{errors:?}");
}

#[test]
fn a_file_without_end_is_refused() {
    let problems = load(Path::new("/dev/zero"), &[]).unwrap_err().to_string();
    assert!(problems.contains("is larger than 16 MiB"), "{problems}");
}

#[test]
fn a_value_of_the_command_line_is_named_as_its_place() {
    let source = Source::parse(Path::new("t.toml"), SMALL).unwrap();
    let problems = check(source.with_overrides(&["lns.mtu=9".to_owned()]).unwrap()).unwrap_err();
    assert!(problems.to_string().starts_with("--set: error: lns.mtu: 9 is out of range"), "{problems}");
}

#[test]
fn a_mistake_in_a_table_is_not_told_again_where_the_table_is_named() {
    let text = r#"
[local]
[pool.a]
range = "nonsense"
[server-group.corp]
protocol = "radios"
[tunnel-group.DefaultRAGroup]
address-pool = ["a"]
authentication-server-group = "corp"
pre-shared-key = "a key"
"#;
    let errors = errors(text);
    assert_eq!(errors.len(), 2, "{errors:#?}");
}

fn key_of_the_first_host(config: &Config) -> String {
    match &config.server_groups["corp"].servers {
        tollgate_backends::Servers::Radius(hosts) => String::from_utf8(hosts[0].key.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}
