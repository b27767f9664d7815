//! A real pppd logs in through every type of server, each the real one. A binary of its own, since a process has one
//! domain, and here it stands in the namespace of the guest.

use std::sync::Arc;

use tollgate_tests::guest::{self, Guest};
use tollgate_tests::servers::securid::NEXT_TOKENCODE;
use tollgate_tests::types::{self, Lab, PASSWORD, REMOTE, ROWS};
use tollgate_tests::{Namespace, Server};

/// What is dialled beside PAP: user, tunnel group, method. The name is part of what MS-CHAPv2 proves, so that one comes
/// without a group.
const MORE: [(&str, &str, &str); 5] = [
    ("joe", "DefaultRAGroup", "ms-chap-v2"),
    ("joe#radius", "radius", "chap"),
    ("joe#tacacs", "tacacs", "chap"),
    ("joe#tacacs", "tacacs", "ms-chap-v1"),
    ("joe#LOCAL", "LOCAL", "ms-chap-v1"),
];

/// Nobody waits for the answer to a Terminate-Request once xl2tpd has closed the tunnel.
const QUICK: &str = "refuse-eap\nlcp-restart 1\nlcp-max-terminate 1";

/// `joe#NAME` asks the group of that name, by whatever the client agrees to.
fn config(lab: &Lab) -> String {
    let servers: String = REMOTE.iter().map(|group| lab.group(group).to_string()).collect();
    let tunnel_groups: String =
        ROWS.iter().map(|(name, _, methods)| types::tunnel_group(name, name, methods, "")).collect();
    let head = types::head().replace("127.0.0.1:0", &format!("{}:1701", guest::SERVER));
    format!(
        r#"{head}{servers}{tunnel_groups}
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
strip-group = true
ppp-authentication = ["ms-chap-v2", "ms-chap-v1", "chap", "pap"]
authentication-server-group = "radius"
"#
    )
}

/// pppd's options for one method and no other.
fn only(method: &str) -> String {
    let names = [("pap", "pap"), ("chap", "chap"), ("ms-chap-v1", "mschap"), ("ms-chap-v2", "mschap-v2")];
    let others = names.iter().filter(|(ours, _)| *ours != method);
    others.map(|(_, theirs)| format!("refuse-{theirs}\n")).chain([QUICK.to_owned()]).collect()
}

/// In pppd's file of options a `#` begins a comment.
fn dial(user: &str, password: &str, method: &str) -> String {
    format!("dial '\"{user}\"' '\"{password}\"' <<X\n{}\nX\n", only(method))
}

/// The whole way of a call that succeeds.
fn call(user: &str, password: &str, method: &str) -> String {
    let dial = dial(user, password, method);
    format!(
        "{dial}wait_up && ping -c 1 -W 5 10.77.0.1; hang_up; wait_down\necho GUEST done {user} {method}\n"
    )
}

#[test]
fn a_real_pppd_is_let_in_by_each_type_and_told_why_not() {
    let namespace = Arc::new(guest::namespace());
    let inside = Arc::clone(&namespace);
    // What is started there ends with the thread that started it.
    let all = namespace.within(move || by_all_types(&inside));
    if let Err(failure) = all.join() {
        std::panic::resume_unwind(failure);
    }
}

fn by_all_types(namespace: &Namespace) {
    let lab = Lab::start();
    let mut server = Server::start(&config(&lab), &[("joe", PASSWORD)], Some(namespace));
    let by_pap = ROWS.map(|(group, ..)| (format!("joe#{group}"), group, "pap"));
    let more = MORE.map(|(user, group, method)| (user.to_owned(), group, method));
    let calls = [&by_pap[..], &more].concat();
    let mut script: String = calls.iter().map(|(user, _, method)| call(user, PASSWORD, method)).collect();
    let refused = [("tacacs", "not this one"), ("directory", "not this one"), ("kerberos", "not this one")];
    for (group, password) in refused {
        script += &dial(&format!("joe#{group}"), password, "pap");
        script += "until grep -q 'PAP authentication failed' /tmp/pppd.log; do sleep 0.1; done\n";
        script += &format!("hang_up; sleep 1; echo GUEST refused {group}\n");
    }
    // The second question of a token: pppd shows what the next login has to be.
    script += &dial("next#sdi", PASSWORD, "pap");
    script +=
        "until grep -q 'PAP authentication failed' /tmp/pppd.log; do sleep 0.1; done\nhang_up; sleep 1\n";
    script += &call("next#sdi", NEXT_TOKENCODE, "pap");

    let lines = Guest::boot(namespace, &script).finish();
    let told = lines.join("\n");
    for (user, _, method) in &calls {
        assert!(lines.contains(&format!("GUEST done {user} {method}")), "{user} {method}: {told}");
    }
    for (group, _) in refused {
        assert!(lines.contains(&format!("GUEST refused {group}")), "{group}: {told}");
    }
    let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(count("GUEST up"), calls.len() + 1, "{told}");
    assert_eq!(count("1 received, 0% packet loss"), calls.len() + 1, "{told}");
    assert_eq!(count("Remote message: Wait until your token shows another code"), 1, "{told}");

    let started = server.process().lines_with("INFO session started");
    let calls = calls.iter().map(|(_, group, method)| ("joe", *group, *method));
    for (line, (user, group, method)) in started.iter().zip(calls.chain([("next", "sdi", "pap")])) {
        // A token's code is what PAP carries, and no password.
        let method = if group == "sdi" { "sdi" } else { method };
        let words = [format!("user={user} tunnel_group=\"{group}\""), format!("method={method} ")];
        assert!(words.iter().all(|words| line.contains(words)), "{words:?}: {line}");
    }
    let words = server.process().lines_with("login refused");
    assert_eq!(words.len(), refused.len() + 1, "{words:?}");
    for (line, (group, _)) in words.iter().zip(refused) {
        assert!(line.contains(&format!("tunnel_group=\"{group}\"")), "{line}");
    }
}
