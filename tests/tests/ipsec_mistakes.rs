//! Each wrong set-up has one line at the server and one from `dial` that name the cause and the fix.

use std::time::{Duration, Instant};

use tollgate_tests::gateway::{self, Files, KEY, PASSWORD, USER};
use tollgate_tests::network::{Nat, Network, SERVER};
use tollgate_tests::pki::Authority;
use tollgate_tests::tollgate::{output_in, text};
use tollgate_tests::{Server, wait_until};

/// A server and a client behind a NAT.
struct Bench {
    nat: Nat,
    server: Server,
    files: Files,
    /// Lines of the log that were looked at.
    seen: usize,
}

impl Bench {
    fn dial(&self, more: &[&str]) -> (String, i32) {
        let server = SERVER.to_string();
        let mut all = vec!["dial", &server, "--user", USER];
        if !more.contains(&"--timeout") {
            all.extend(["--timeout", "10"]);
        }
        all.extend(more);
        text(&output_in(self.nat.namespace(), &all, PASSWORD))
    }

    /// Dials in vain: the server has a warning, again when the client tries again, and both sides say what is expected.
    #[track_caller]
    fn mistake(&mut self, arguments: &[&str], at_the_server: &[&str], of_dial: &[&str]) {
        // Lines of a kind come once a second.
        let started = Instant::now();
        let (said, code) = self.dial(arguments);
        assert_eq!(code, 1, "{said}");
        assert!(of_dial.iter().all(|words| said.contains(words)), "{of_dial:?}:\n{said}");
        let mut lines = Vec::new();
        let seen = self.seen;
        wait_until(&format!("the server's line {at_the_server:?}"), Duration::from_secs(40), || {
            lines = self.server.process().lines_with(" WARN ").split_off(seen);
            !lines.is_empty()
        });
        std::thread::sleep(Duration::from_millis(1100).saturating_sub(started.elapsed()));
        lines = self.server.process().lines_with(" WARN ").split_off(seen);
        let fits = |line: &String| at_the_server.iter().all(|words| line.contains(words));
        assert!(lines.iter().all(fits), "{at_the_server:?}: {lines:?}");
        self.seen += lines.len();
    }

    /// Another `[ipsec]`.
    fn reload(&mut self, from: &str, to: &str) {
        self.server.reload(|config| {
            assert!(config.contains(from), "{from}");
            config.replace(from, to)
        });
        self.seen = self.server.process().lines_with(" WARN ").len();
    }
}

#[test]
fn a_wrong_set_up_is_named_with_its_fix_on_both_sides() {
    let network = Network::new();
    let authority = Authority::new("/O=Corp/CN=Corp CA");
    let files = Files::of(&authority);
    let ended = ["-startdate", "20200101000000Z", "-enddate", "20210101000000Z"];
    files.add_issued("expired", &authority.issue_with("/O=Corp/CN=old", None, &ended));
    files.add_issued(
        "server-only",
        &authority.issue_with("/O=Corp/CN=server only", None, &["-extensions", "server-only"]),
    );
    files.add_issued("stranger", &Authority::new("/O=Other/CN=Other CA").issue("/O=Other/CN=stranger", None));
    files.add("psk", KEY);
    files.add("wrong", "another key");
    let config = gateway::config(
        &format!("aggressive-mode = true\n{}", files.table("")),
        &format!("pre-shared-key = \"{KEY}\""),
    );
    let config = config.replace("10.77.0.10-10.77.0.20", "10.77.0.10-10.77.0.10");
    let mut server = gateway::start(&network, &config);
    let seen = server.process().lines_with(" WARN ").len();
    let mut bench = Bench { nat: network.nat(), server, files, seen };
    let [psk, wrong, ca] = ["psk", "wrong", "ca.pem"].map(|name| bench.files.argument(name));
    let by_key = ["--psk-file", psk.as_str()];

    bench.mistake(
        &[by_key.as_slice(), &["--proposal", "3des-sha1-14"]].concat(),
        &[
            "no common phase-1 proposal: the peer offers 3des/sha1/group 14",
            "allowed here: ",
            "smallest change",
        ],
        &["ike", "NO-PROPOSAL-CHOSEN to the phase-1 proposals", "allow one of them on the server"],
    );
    bench.mistake(
        &["--psk-file", &wrong, "--timeout", "3"],
        &["wrong pre-shared key", "tunnel group DefaultRAGroup", "compare pre-shared-key"],
        &["ike", "compare the pre-shared key"],
    );
    bench.mistake(
        &[by_key.as_slice(), &["--aggressive", "nobody", "--timeout", "5"]].concat(),
        &["no pre-shared key for nobody: set pre-shared-key in [tunnel-group.nobody]"],
        &["ike"],
    );
    let certificates: [(&str, &[&str]); 3] = [
        ("expired", &["CN=old", "expired at 2021-01-01", "renew it"]),
        ("stranger", &["CN=Other CA", "add it to the authorities"]),
        ("server-only", &["CN=server only", "clientAuth"]),
    ];
    for (name, words) in certificates {
        let [cert, key] = ["pem", "key"].map(|end| bench.files.argument(&format!("{name}.{end}")));
        bench.mistake(
            &["--cert", &cert, "--key", &key, "--ca", &ca, "--timeout", "5"],
            words,
            &["ike", "certificate", "see its log"],
        );
    }
    bench.mistake(
        &["--timeout", "2"],
        &["L2TP without IPsec refused: set up IPsec on the client", "require-ipsec = false"],
        &["l2tp-tunnel", "the server wants IPsec first"],
    );
    bench.mistake(
        &[by_key.as_slice(), &["--auth", "chap"]].concat(),
        &["CHAP is not served by LOCAL (type matrix)"],
        &["lcp", "another authentication method (try another --auth)"],
    );
    let held = bench.server.dial_and_hold(USER, "ms-chap-v2", PASSWORD, &by_key);
    bench.mistake(
        &by_key,
        &["no address for an accepted login", "address pool clients exhausted"],
        &["no address for this user (show pools)"],
    );
    drop(held);
    bench.reload("aggressive-mode = true", "aggressive-mode = false");
    bench.mistake(
        &[by_key.as_slice(), &["--aggressive", "DefaultRAGroup", "--timeout", "5"]].concat(),
        &["aggressive mode, which is off", "aggressive-mode = true"],
        &["ike"],
    );
    bench.reload("aggressive-mode = false", "[ipsec.transform-set.only]\nencryption = \"aes-256-gcm\"");
    bench.mistake(
        &by_key,
        &["no common phase-2 proposal: the peer offers aes-256/sha1", "is in no transform set"],
        &["ipsec", "NO-PROPOSAL-CHOSEN to the phase-2 proposals"],
    );
    let rules =
        "table ip shut {\nchain input {\ntype filter hook input priority 0;\nudp dport 4500 drop\n}\n}\n";
    network.server().run("nft", &["-f", "-"], rules);
    bench.mistake(
        &[by_key.as_slice(), &["--timeout", "3"]].concat(),
        &["went on to UDP port 4500 and was not heard there: is UDP 4500 blocked on the way?"],
        &["ike", "UDP 4500 is blocked"],
    );
}
