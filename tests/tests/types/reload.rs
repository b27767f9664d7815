//! A login that waits for a slow server while the configuration is read anew ends by the rules that it began with.

use std::thread;
use std::time::Duration;

use tollgate_tests::front::Way;
use tollgate_tests::types::{self, PASSWORD, REMOTE};
use tollgate_tests::wait_until;

use super::site::{LOCALS, Site, comes_in, is_refused};

#[test]
fn a_waiting_login_hears_the_server_that_it_asked_although_a_reload_took_it_away() {
    let mut site = Site::start(|group| group.host("timeout", 20));
    site.set(Way::Slow);
    let server = &mut site.server;
    let address = server.address();
    let waiting: Vec<_> = REMOTE
        .into_iter()
        .flat_map(|group| {
            // The servers know both users by PASSWORD, LOCAL knows only `both` by it and the other by LOCALS.
            [("otto", PASSWORD, 0), ("sam", LOCALS, 1)].map(|(user, password, expected)| {
                let (address, name) = (address.clone(), format!("{user}#{group}"));
                let login = thread::spawn(move || {
                    let arguments = ["dial", &address, "--user", &name, "--auth", "pap", "--timeout", "25"];
                    tollgate_tests::output(&arguments, password)
                });
                (format!("{user}#{group}"), expected, login)
            })
        })
        .collect();
    wait_until("every server is asked about both", Duration::from_secs(5), || {
        site.fronts.iter().all(|(_, front)| front.questions() >= 2)
    });
    server.reload(|config| {
        let (_, admin) = config.split_once("\n[admin]").expect("the harness has one");
        let groups: String =
            REMOTE.iter().map(|group| types::tunnel_group(group, "LOCAL", &["pap"], "")).collect();
        let arrival = types::tunnel_group("DefaultRAGroup", "LOCAL", &["ms-chap-v2", "pap"], "");
        format!("{}{groups}{arrival}\n[admin]{admin}", types::head())
    });
    assert!(waiting.iter().all(|(.., login)| !login.is_finished()), "all of them wait");
    for group in REMOTE {
        comes_in(server, &format!("sam#{group}"), LOCALS);
        is_refused(server, &format!("otto#{group}"), PASSWORD, "wrong user name or password");
    }
    for (name, expected, login) in waiting {
        let (said, code) = tollgate_tests::tollgate::text(&login.join().expect("it has no reason to panic"));
        assert_eq!(code, expected, "{name}: {said}");
    }
    assert_eq!(server.show("aaa").as_array().map(Vec::len), Some(1), "LOCAL is left alone");
}
