//! The demonstration that the README begins with, as its reader runs it.

use tollgate_tests::tollgate::{output, output_in, text};
use tollgate_tests::{Namespace, need, process::bound_to_us, tollgate};

/// What every demonstration shows, wherever it runs.
const SHOWN: &[&str] = &[
    "Login by PAP",
    "Login by MS-CHAPv1",
    "Login by MS-CHAPv2",
    "256 KiB there and back",
    "refused: authentication failed",
    "CHAP is not served by LOCAL (type matrix)",
    "Accounting records",
    "user request",
];

fn shows_everything(said: &str, code: i32, inside: &str) {
    assert_eq!(code, 0, "{said}");
    for text in SHOWN.iter().chain([&inside]) {
        assert!(said.contains(text), "{text} in {said}");
    }
    assert_eq!(said.matches("answered").count(), 9, "three pings for each login: {said}");
    assert_eq!(said.matches("  start alice").count(), 3, "{said}");
    assert_eq!(said.matches("  stop  alice").count(), 3, "{said}");
}

#[test]
fn with_a_device_it_shows_a_login_from_end_to_end_and_leaves_nothing() {
    let namespace = Namespace::new();
    let (said, code) = text(&output_in(&namespace, &["demo"], ""));
    shows_everything(&said, code, "Inside: TUN device tgdemo");
    let mut links = namespace.command(need::program("ip"));
    let links = links.args(["-o", "link"]).output().expect("ip can be run");
    assert!(!String::from_utf8_lossy(&links.stdout).contains("tgdemo"), "the device is gone");
}

#[test]
fn without_the_right_to_make_a_device_it_says_so_and_shows_the_same() {
    let mut command = bound_to_us(need::program("setpriv"));
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    // The folder of the tests may be closed to others: they get a copy elsewhere.
    let program = tempfile::tempdir_in("/tmp").expect("a temporary folder can be made");
    let copy = program.path().join("tollgate");
    std::fs::copy(tollgate::binary(), &copy).expect("the program can be copied");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(program.path(), open).expect("the folder can be opened");
    let ran = command.arg(&copy).arg("demo").output().expect("setpriv can be run");
    let (said, code) = text(&ran);
    shows_everything(&said, code, "Inside: in memory (a TUN device needs root or CAP_NET_ADMIN");
}

#[test]
fn it_can_be_asked_to_keep_the_inside_in_memory() {
    let (said, code) = text(&output(&["demo", "--no-tun"], ""));
    shows_everything(&said, code, "Inside: in memory");
}
