//! Our client against servers that others wrote: it gets through, or says at which stage it does not.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tollgate_tests::guest::{self, Guest};
use tollgate_tests::process::Process;
use tollgate_tests::radius::{FreeRadius, Options, SECRET};
use tollgate_tests::softether::SoftEther;
use tollgate_tests::tollgate::{output_in, text};
use tollgate_tests::{Namespace, need, wait_until};

fn dial(namespace: &Namespace, server: &str, auth: &str, password: &str, more: &[&str]) -> (String, i32) {
    let mut arguments = vec!["dial", server, "--user", "jdoe", "--auth", auth, "--timeout", "20"];
    arguments.extend(more);
    text(&output_in(namespace, &arguments, password))
}

/// l2tpns with its folder in place of the machine's, and RADIUS beside it.
fn l2tpns(namespace: &Namespace, folder: &Path, radius: &FreeRadius) -> Process {
    // It takes nothing before it has elected itself the head of its cluster, on a device of that name.
    namespace.ip(&["link", "add", "eth0", "type", "veth", "peer", "name", "eth1"]);
    namespace.ip(&["addr", "add", "192.0.2.2/24", "dev", "eth0"]);
    namespace.ip(&["link", "set", "eth0", "up"]);
    namespace.ip(&["link", "set", "eth1", "up"]);
    let settings = format!(
        r#"
set debug 3
set pid_file "{}/pid"
set hostname "l2tpns"
set l2tp_secret "word-of-the-lac"
set primary_dns 10.0.0.53
set secondary_dns 10.0.0.54
set primary_radius 127.0.0.1
set primary_radius_port {}
set radius_secret "{SECRET}"
set radius_authtypes "chap pap"
set radius_accounting no
set cli_bind_address 127.0.0.1
set bind_address 127.0.0.1
set peer_address 10.66.0.1
set cluster_interface "eth0"
set cluster_hb_interval 2
set cluster_hb_timeout 8
"#,
        folder.display(),
        radius.authentication_port
    );
    fs::write(folder.join("startup-config"), settings).expect("writable");
    fs::write(folder.join("ip_pool"), "10.66.0.0/24\n").expect("writable");
    fs::write(folder.join("users"), "").expect("writable");
    // `ip netns exec` makes a mount namespace too: nobody else sees this folder there.
    let mut command = namespace.command("sh");
    command.args(["-c", "mount --bind \"$1\" /etc/l2tpns && exec \"$2\" -v", "sh"]);
    command.arg(folder).arg(need::program("l2tpns"));
    // What it prints waits in a buffer: that it serves is known when it takes a call.
    Process::start("l2tpns", command)
}

#[test]
fn l2tpns_takes_our_call() {
    let namespace = Namespace::new();
    let radius = FreeRadius::start(Options {
        users: "jdoe Cleartext-Password := \"x\"\n".to_owned(),
        namespace: Some(namespace.name().to_owned()),
        // Its requests carry no Message-Authenticator.
        require_message_authenticator: false,
        ..Options::default()
    });
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = l2tpns(&namespace, folder.path(), &radius);
    let secret = folder.path().join("lac");
    fs::write(&secret, "word-of-the-lac").expect("writable");
    let secret = secret.display().to_string();
    let more = ["--tunnel-secret-file", secret.as_str()];
    let log = || server.lines().join("\n");
    wait_until("l2tpns listens", Duration::from_secs(20), || {
        !dial(&namespace, "127.0.0.1", "pap", "x", &more).0.contains("port unreachable")
    });
    for auth in ["pap", "chap"] {
        let (said, code) = dial(&namespace, "127.0.0.1", auth, "x", &more);
        assert_eq!(code, 0, "{auth}: {said}\n{}", log());
        assert!(said.contains("address 10.66.0.") && said.contains("dns 10.0.0.53, 10.0.0.54"), "{said}");
    }
    let (said, code) = dial(&namespace, "127.0.0.1", "chap", "wrong", &more);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("authentication  failed"), "the stage is named: {said}");
    let (said, code) = dial(&namespace, "127.0.0.1", "ms-chap-v2", "x", &more);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("lcp             failed: "), "the stage is named: {said}");
}

#[test]
fn xl2tpd_and_pppd_take_our_call() {
    let namespace = guest::namespace();
    let script = r#"
printf 'jdoe * x *\n' > /tmp/secrets; chmod 600 /tmp/secrets
for file in chap-secrets pap-secrets; do mount --bind /tmp/secrets /etc/ppp/$file; done
cat > /tmp/lns.conf <<X
[global]
port = 1701
[lns default]
ip range = 10.66.0.10-10.66.0.20
local ip = 10.66.0.1
require authentication = yes
name = xl2tpd
pppoptfile = /tmp/lns.options
X
printf 'require-mschap-v2\nms-dns 10.0.0.53\nmtu 1400\nmru 1400\ndebug\nlogfile /tmp/pppd.log\n' > /tmp/lns.options
touch /tmp/pppd.log; tail -f /tmp/pppd.log | sed 's/^/pppd: /' &
xl2tpd -D -c /tmp/lns.conf -C /tmp/control -p /tmp/pid 2>&1 | sed 's/^/xl2tpd: /' &
i=0; until [ -p /tmp/control ] || [ $i = 50 ]; do i=$((i+1)); sleep 0.1; done
echo GUEST serves
sleep 60
"#;
    let mut guest = Guest::boot(&namespace, script);
    guest.wait_for("GUEST serves");
    let (said, code) = dial(&namespace, guest::CLIENT, "ms-chap-v2", "x", &["--ping", "4"]);
    assert!(said.contains("address 10.66.0.1") && said.contains("dns 10.0.0.53"), "{said}");
    // pppd brings its device up a moment after IPCP: the first ping may be too early.
    assert!(said.contains("10.66.0.1 answered"), "{code}: {said}\n{}", guest.process().lines().join("\n"));
    let (said, code) = dial(&namespace, guest::CLIENT, "ms-chap-v2", "wrong", &[]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("authentication  failed"), "the stage is named: {said}");
    let (said, code) = dial(&namespace, guest::CLIENT, "pap", "x", &[]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("authentication  failed: "), "the stage is named: {said}");
    assert!(said.contains("try another --auth"), "{said}");
}

#[test]
fn where_no_server_is_the_first_stage_says_so() {
    let namespace = Namespace::new();
    let (said, code) = dial(&namespace, "127.0.0.1", "pap", "x", &[]);
    assert_eq!(code, 1);
    assert!(said.contains("l2tp-tunnel     failed: port unreachable"), "{said}");
    assert!(said.contains("no L2TP server listens there"), "{said}");
}

#[test]
fn softether_takes_our_call() {
    let namespace = Namespace::new();
    let server = SoftEther::start(&namespace, "jdoe", "x");
    wait_until("SoftEther listens", Duration::from_secs(20), || {
        !dial(&namespace, "127.0.0.1", "pap", "x", &[]).0.contains("port unreachable")
    });
    for auth in ["ms-chap-v2", "pap"] {
        let (said, code) = dial(&namespace, "127.0.0.1", auth, "x", &["--ping", "1"]);
        assert_eq!(code, 0, "{auth}: {said}\n{}", server.lines().join("\n"));
        assert!(said.contains("address 192.168.30.") && said.contains("answered"), "{said}");
    }
    let (said, code) = dial(&namespace, "127.0.0.1", "ms-chap-v2", "wrong", &[]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("authentication  failed"), "the stage is named: {said}");
}
