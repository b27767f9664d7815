//! `tollgate serve` where something is in its way, and what survives a reload or a restart.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use tollgate_tests::process::bound_to_us;
use tollgate_tests::tollgate::{LOOPBACK, binary, output, text};
use tollgate_tests::{Namespace, Server, radius, wait_until};

const LOCAL: &str = r#"
[local]
users = "users.toml"
lockout-attempts = 3
[pool.clients]
range = "10.4.5.10-10.4.5.20"
mask = "255.255.255.0"
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
ppp-authentication = ["ms-chap-v2", "pap"]
"#;

const USERS: &[(&str, &str)] = &[("jdoe", "j!doe1")];

fn config() -> String {
    format!("{LOOPBACK}{LOCAL}")
}

/// A folder with a configuration that listens on `port` and has one user.
fn folder(port: u16) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let config = config().replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    let admin = format!("[admin]\nsocket = \"{}/admin.sock\"\n", folder.path().display());
    fs::write(folder.path().join("tollgate.toml"), config + &admin).expect("writable");
    let users = folder.path().join("users.toml").display().to_string();
    assert!(output(&["user", "add", "jdoe", "--mschap", "--users", &users], "j!doe1").status.success());
    folder
}

fn file(folder: &tempfile::TempDir) -> String {
    folder.path().join("tollgate.toml").display().to_string()
}

/// Starts a server that must refuse; gives what it said besides warnings.
fn refused(mut command: std::process::Command) -> String {
    let ended = command.output().expect("it can be run");
    let (said, code) = text(&ended);
    assert_eq!(code, 1, "{said}");
    let lines: Vec<_> = said.lines().filter(|line| !line.contains(" WARN ")).collect();
    assert_eq!(lines.len(), 1, "one line says what to do: {said}");
    lines[0].to_owned()
}

fn serve(folder: &tempfile::TempDir) -> std::process::Command {
    let mut command = bound_to_us(binary());
    command.args(["serve", "--no-tun", "--config", &file(folder)]);
    command
}

#[test]
fn a_port_in_use_is_one_line_that_says_what_to_do() {
    let other = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let port = other.local_addr().expect("bound").port();
    let said = refused(serve(&folder(port)));
    assert_eq!(
        said,
        format!(
            "127.0.0.1:{port} (udp) is in use by another program; stop it, or set another l2tp-listen in [lns]"
        )
    );
}

#[test]
fn a_second_server_on_the_same_port_is_refused_though_ports_can_be_shared() {
    let server = Server::start(&config(), USERS, None);
    let port = server.address().rsplit_once(':').expect("a port").1.parse().expect("a number");
    assert!(refused(serve(&folder(port))).contains("is in use by another program"));
}

#[test]
fn a_device_name_in_use_is_one_line_that_says_what_to_do() {
    let namespace = Namespace::new();
    let server = Server::start(&config(), USERS, Some(&namespace));
    let folder = folder(0);
    let mut command = namespace.command(binary());
    command.args(["serve", "--config", &file(&folder)]);
    assert_eq!(
        refused(command),
        "the network device tollgate0 exists already; stop its owner, or set another tun-name in [lns]"
    );
    server.stop();
    // A name that something else has, and stays.
    namespace.ip(&["link", "add", "tollgate0", "type", "veth", "peer", "name", "other"]);
    let mut command = namespace.command(binary());
    command.args(["serve", "--config", &file(&folder)]);
    assert!(refused(command).contains("the network device tollgate0 exists already"));
}

#[test]
fn without_rights_it_says_which_one_is_missing() {
    let namespace = Namespace::new();
    let folder = folder(0);
    for name in ["tollgate.toml", "users.toml"] {
        let path = folder.path().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("ours");
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("ours");
    let nobody = |config: &str| {
        let mut command = namespace.command("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all", "--"]);
        command.arg(binary()).args(["serve", "--config", config]);
        command
    };
    let said = refused(nobody(&file(&folder)));
    assert!(
        said.starts_with("no right to make the TUN device tollgate0: run as root or with CAP_NET_ADMIN"),
        "{said}"
    );
    let config = folder.path().join("tollgate.toml");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).expect("ours");
    let said = refused(nobody(&file(&folder)));
    assert!(said.contains("cannot be read: Permission denied"), "{said}");
    assert!(said.contains("fix: let the user that runs tollgate read"), "{said}");
}

#[test]
fn plain_l2tp_is_not_served_unless_it_is_asked_for() {
    let ipsec = "[ipsec]\nike-listen = \"127.0.0.1:0\"\nnat-t-listen = \"127.0.0.1:0\"\nesp = false\n";
    for line in ["require-ipsec = true\n", ""] {
        let config = config().replace("require-ipsec = false\n", line);
        let config = config.replace("address-pool", "pre-shared-key = \"a key\"\naddress-pool");
        let mut server = Server::start(&format!("{config}{ipsec}"), USERS, None);
        let (said, code) = text(&server.dial("jdoe", "ms-chap-v2", "j!doe1", &["--timeout", "3"]));
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("l2tp-tunnel     failed"), "{said}");
        let warned = server.wait_for_log("L2TP without IPsec refused");
        assert!(warned.contains("set require-ipsec = false in [lns]"), "{warned}");
    }
}

#[test]
fn a_users_file_that_is_missing_keeps_it_from_starting() {
    let folder = folder(0);
    fs::remove_file(folder.path().join("users.toml")).expect("removable");
    let said = refused(serve(&folder));
    assert!(said.contains("users.toml: the users file does not exist"), "{said}");
}

#[test]
fn a_broken_configuration_is_not_taken_by_a_reload_and_nobody_is_cut_off() {
    let mut server = Server::start(&config(), USERS, None);
    let _held = server.dial_and_hold("jdoe", "pap", "j!doe1", &[]);
    let path = server.folder().join("tollgate.toml");
    let good = fs::read_to_string(&path).expect("readable");
    fs::write(&path, good.replace("[pool.clients]", "[pool.clients]\ncolour = 1")).expect("writable");
    server.process().signal(libc::SIGHUP);
    server.wait_for_log("the new configuration is refused, the old one stays");
    server.wait_for_log("pool.clients.colour: is not a key of this table");
    fs::write(&path, &good).expect("writable");
    assert_eq!(server.show("sessions").as_array().map(Vec::len), Some(1));
    let second = server.dial("jdoe", "ms-chap-v2", "j!doe1", &["--ping", "1"]);
    assert!(second.status.success(), "{}", text(&second).0);
    server.reload(|text| text.replace("[\"ms-chap-v2\", \"pap\"]", "[\"pap\"]"));
    let third = server.dial("jdoe", "ms-chap-v2", "j!doe1", &[]);
    assert!(!third.status.success(), "the reload took effect");
}

#[test]
fn a_lock_out_is_kept_over_a_restart() {
    let mut server = Server::start(&config(), USERS, None);
    for _ in 0..3 {
        assert!(!server.dial("jdoe", "pap", "wrong", &[]).status.success());
    }
    server.wait_for_log("LOCAL account locked after too many wrong passwords");
    assert!(!server.dial("jdoe", "pap", "j!doe1", &[]).status.success(), "locked");
    server.restart();
    assert!(!server.dial("jdoe", "pap", "j!doe1", &[]).status.success(), "still locked");
    let line = server.wait_for_log("login refused");
    assert!(line.contains("reason=locked out after too many failures"), "{line}");
}

#[test]
fn a_users_file_changed_underneath_is_picked_up() {
    let mut server = Server::start(&config(), USERS, None);
    let users = server.folder().join("users.toml").display().to_string();
    let dial = |server: &Server, user| server.dial(user, "ms-chap-v2", "secret", &[]).status.success();
    assert!(!dial(&server, "ada"));
    assert!(output(&["user", "add", "ada", "--mschap", "--users", &users], "secret").status.success());
    wait_until("ada gets in", Duration::from_secs(10), || dial(&server, "ada"));
    assert!(output(&["user", "delete", "ada", "--users", &users], "").status.success());
    wait_until("ada stays out", Duration::from_secs(10), || !dial(&server, "ada"));
    // A broken file does not lock everybody out.
    let good = fs::read_to_string(&users).expect("readable");
    fs::write(&users, format!("{good}\n[user.broken]\ncolour = 1\n")).expect("writable");
    let mut tries = 0;
    wait_until("the broken file is noticed", Duration::from_secs(10), || {
        tries += 1;
        assert!(server.dial("jdoe", "pap", "j!doe1", &[]).status.success(), "try {tries}");
        !server.process().lines_with("user.broken").is_empty()
    });
}

#[test]
fn no_secret_is_logged_or_stands_on_a_command_line() {
    let radius = radius::start("ada Cleartext-Password := \"pass-in-radius\"\n");
    let host = radius::host(&radius, "").replace(radius::SECRET, "key-of-the-host");
    let config = format!(
        "{LOOPBACK}l2tp-tunnel-password = \"word-of-the-lac\"\n{LOCAL}local-fallback = true\n\
         authentication-server-group = \"corp\"\n[server-group.corp]\nprotocol = \"radius\"\n{host}timeout = 1\n\
         retry-interval = 1\n"
    );
    let mut server = Server::start_tracing(&config, USERS);
    let secret = server.folder().join("lac");
    fs::write(&secret, "word-of-the-lac\n").expect("writable");
    let secret = secret.display().to_string();
    let more = ["--tunnel-secret-file", secret.as_str()];
    let held = server.dial_and_hold("jdoe", "pap", "j!doe1", &more);
    for (user, method, password) in [
        ("jdoe", "ms-chap-v2", "j!doe1"),
        ("jdoe", "pap", "guess-of-a-password"),
        ("jdoe", "ms-chap-v2", "guess-of-a-password"),
        ("ada", "pap", "pass-in-radius"),
    ] {
        server.dial(user, method, password, &more);
    }
    let lines = |process: u32| {
        let line = fs::read(Path::new("/proc").join(process.to_string()).join("cmdline")).expect("it runs");
        String::from_utf8_lossy(&line).into_owned()
    };
    let mut everything = vec![lines(server.process().id()), lines(held.id())];
    everything.extend(server.process().lines());
    everything.extend(held.lines());
    for what in ["sessions", "tunnels", "aaa", "pools"] {
        everything.push(server.show(what).to_string());
    }
    everything.push(text(&server.run(&["check"], "")).0);
    assert!(everything.len() > 40, "it was traced");
    let everything = everything.join("\n");
    for secret in ["word-of-the-lac", "key-of-the-host", "j!doe1", "guess-of-a-password", "pass-in-radius"] {
        assert!(!everything.contains(secret), "{secret} in\n{everything}");
    }
}
