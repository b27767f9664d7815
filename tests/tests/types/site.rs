//! Every server behind a relay, and ours before them.

use std::sync::Once;
use std::thread;

use serde_json::Value;
use tollgate_tests::Server;
use tollgate_tests::front::{Front, Way};
use tollgate_tests::servers::samba::Samba;
use tollgate_tests::tollgate::text;
use tollgate_tests::types::{self, Lab, PASSWORD, REMOTE};

/// Nobody decided.
pub(crate) const NOBODY: &str = "no server answers";
/// Somebody said no.
pub(crate) const WRONG: &str = "wrong user name or password";

/// What LOCAL has for users whom the servers know by [`PASSWORD`].
pub(crate) const LOCALS: &str = "only LOCAL knows this";
const USERS: &[(&str, &str)] = &[("otto", LOCALS), ("sam", LOCALS), ("both", PASSWORD), ("jdoe", "j!doe1")];

/// The servers, each behind its relay, and ours before them: `NAME#radius` is decided by RADIUS alone,
/// `NAME#radius-safe` by LOCAL when RADIUS is silent.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) fronts: Vec<(&'static str, Front)>,
    _lab: Lab,
}

impl Site {
    pub(crate) fn start(words: impl Fn(types::Group) -> types::Group) -> Self {
        let accounts = format!(", \"otto\": \"{PASSWORD}\", \"both\": \"{PASSWORD}\"");
        let users =
            ["otto", "both"].map(|user| format!("{user} Cleartext-Password := \"{PASSWORD}\"\n")).concat();
        let lab = Lab::with(&users, &accounts);
        know_everybody(lab.domain);
        let fronts: Vec<_> = REMOTE.map(|group| (group, Front::start(lab.address(group)))).into();
        let mut config = types::head() + "[group-policy.DfltGrpPolicy]\nvpn-simultaneous-logins = 100\n";
        for (group, front) in &fronts {
            config += &words(lab.group(group).through(front)).to_string();
            config += &types::tunnel_group(group, group, &["pap"], "");
            config +=
                &types::tunnel_group(&format!("{group}-safe"), group, &["pap"], "local-fallback = true");
        }
        config += &types::tunnel_group("DefaultRAGroup", "LOCAL", &["ms-chap-v2", "pap"], "");
        Self { server: Server::start(&config, USERS, None), fronts, _lab: lab }
    }

    pub(crate) fn set(&self, way: Way) {
        thread::scope(|scope| {
            for (_, front) in &self.fronts {
                scope.spawn(|| front.set(way));
            }
        });
    }

    /// Does the same with every type at once; a failure names the type.
    pub(crate) fn each(&self, trial: impl Fn(&str, &Front) + Sync) {
        let trial = &trial;
        thread::scope(|scope| {
            let trials = self.fronts.iter().map(|(group, front)| {
                thread::Builder::new()
                    .name((*group).to_owned())
                    .spawn_scoped(scope, move || trial(group, front))
                    .expect("threads can be made")
            });
            let trials: Vec<_> = trials.collect();
            for trial in trials {
                trial.join().expect("see above");
            }
        });
    }

    /// What `show aaa` says of a group's only server.
    pub(crate) fn status(&self, group: &str) -> Value {
        let aaa = self.server.show("aaa");
        let found = aaa.as_array().into_iter().flatten().find(|shown| shown["name"] == group);
        found.expect("it is shown")["servers"][0].clone()
    }

    pub(crate) fn state(&self, group: &str) -> String {
        self.status(group)["state"].as_str().expect("a word").to_owned()
    }
}

fn know_everybody(domain: &Samba) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| ["otto", "both"].into_iter().for_each(|user| domain.add_user(user, PASSWORD, "")));
}

/// Logs in by PAP and pings.
#[track_caller]
pub(crate) fn comes_in(server: &Server, name: &str, password: &str) {
    let (said, code) = text(&server.dial(name, "pap", password, &["--ping", "1"]));
    assert_eq!(code, 0, "{name}: {said}");
}

/// Must not get in, and hear these words.
#[track_caller]
pub(crate) fn is_refused(server: &Server, name: &str, password: &str, words: &str) {
    let (said, code) = text(&server.dial(name, "pap", password, &[]));
    assert_eq!(code, 1, "{name}: {said}");
    assert!(said.contains(words), "{name}: {said}");
}

/// `aaa test`: its report and its exit code.
pub(crate) fn tested(server: &Server, name: &str, password: &str) -> (Value, i32) {
    let test = ["aaa", "test", "--user", name, "--method", "pap", "--json"];
    let (said, code) = text(&server.run(&test, password));
    (serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}")), code)
}
