//! `tollgate user`: the file of local users and what may go wrong with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tollgate_tests::need;
use tollgate_tests::tollgate::{binary, output, text};

struct Users {
    _folder: tempfile::TempDir,
    file: String,
}

impl Users {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("users.toml").display().to_string();
        Self { _folder: folder, file }
    }

    fn run(&self, arguments: &[&str], input: &str) -> (String, i32) {
        let mut all = vec!["user"];
        all.extend(arguments);
        all.extend(["--users", &self.file]);
        text(&output(&all, input))
    }

    fn content(&self) -> String {
        fs::read_to_string(&self.file).unwrap_or_default()
    }
}

#[test]
fn a_user_is_added_changed_listed_and_deleted() {
    let users = Users::new();
    let (said, code) = users.run(&["add", "jdoe"], "j!doe1\n");
    assert_eq!((said.as_str(), code), ("user jdoe added, password kept as argon2id (PAP)\n", 0));
    let more = ["add", "ada", "--mschap", "--group-policy", "sales", "--address", "10.4.5.7"];
    let (said, code) = users.run(&[&more[..], &["--expires", "2030-01-31", "--disabled"]].concat(), "secret");
    assert_eq!(
        (said.as_str(), code),
        ("user ada added, password kept as nt-hash (PAP, MS-CHAPv1, MS-CHAPv2)\n", 0)
    );
    let mode = fs::metadata(&users.file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only its owner reads it");

    let (said, code) = users.run(&["list"], "");
    assert_eq!(code, 0);
    let rows: Vec<Vec<&str>> = said
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    let kind = "nt-hash (PAP, MS-CHAPv1, MS-CHAPv2)";
    assert_eq!(rows[1], ["ada", kind, "sales", "10.4.5.7", "2030-01-31", "no"]);
    assert_eq!(rows[2], ["jdoe", "argon2id (PAP)", "-", "-", "never", "yes"]);
    let (said, _) = users.run(&["list", "--json"], "");
    let listed: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(listed[0]["group-policy"], "sales");
    assert_eq!(listed[1]["enabled"], true);
    assert!(!said.contains("argon2id$") && !said.contains("hash\":"), "no hashes: {said}");

    let before = users.content();
    let (said, code) = users.run(&["passwd", "jdoe", "--mschap"], "another");
    assert_eq!(
        (said.as_str(), code),
        ("password of jdoe changed, kept as nt-hash (PAP, MS-CHAPv1, MS-CHAPv2)\n", 0)
    );
    assert!(!users.content().contains("argon2id") && before.contains("argon2id"));

    let (said, code) = users.run(&["delete", "jdoe"], "");
    assert_eq!((said.as_str(), code), ("user jdoe deleted\n", 0));
    assert!(!users.content().contains("jdoe") && users.content().contains("ada"));
}

#[test]
fn no_password_is_ever_kept_or_shown_in_clear() {
    let users = Users::new();
    for (name, more) in [("one", &[][..]), ("two", &["--mschap"])] {
        let (said, code) = users.run(&[&["add", name][..], more].concat(), "in-clear-7");
        assert_eq!(code, 0, "{said}");
        assert!(!said.contains("in-clear-7"));
    }
    assert!(!users.content().contains("in-clear-7"));
}

#[test]
fn wrong_edits_change_nothing_and_say_why() {
    let users = Users::new();
    assert_eq!(users.run(&["add", "jdoe", "--mschap"], "j!doe1").1, 0);
    let before = users.content();
    for (arguments, input, words) in [
        (&["add", "ada"][..], "", "an empty password is refused"),
        (&["add", "ada"], "\n", "an empty password is refused"),
        (&["passwd", "jdoe"], "", "an empty password is refused"),
        (&["add", "jdoe"], "x", "user jdoe exists already; use `tollgate user passwd`"),
        (&["passwd", "ada"], "x", "there is no user ada"),
        (&["delete", "ada"], "", "there is no user ada"),
        (&["add", ""], "x", "empty"),
        (&["add", "two\nlines"], "x", "control character"),
    ] {
        let (said, code) = users.run(arguments, input);
        assert_eq!(code, 1, "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {words} in {said}");
        assert_eq!(users.content(), before, "{arguments:?}");
    }
    let (said, code) = users.run(&["add", "ada", "--expires", "31.1.2030"], "x");
    assert_eq!(code, 64, "{said}");
}

#[test]
fn a_file_that_is_missing_broken_or_a_folder_is_told_and_left_alone() {
    let users = Users::new();
    let (said, code) = users.run(&["list"], "");
    assert_eq!(code, 1);
    assert!(said.contains("does not exist; make it with `tollgate user add`"), "{said}");

    fs::write(&users.file, "[user.jdoe]\nnt-hash = \"zz\"\n[user.ada]\ncolour = \"red\"\n")
        .expect("writable");
    let before = users.content();
    let (said, code) = users.run(&["add", "eve"], "x");
    assert_eq!(code, 1);
    assert!(said.contains("users.toml:2: user.jdoe.nt-hash: "), "{said}");
    assert!(said.contains("users.toml:4: user.ada.colour: "), "{said}");
    assert_eq!(users.content(), before);

    fs::write(&users.file, b"[user.j\xfcrgen]\n").expect("writable");
    let (said, code) = users.run(&["list"], "");
    assert_eq!(code, 1);
    assert!(said.contains("users.toml:1: ") && said.contains("UTF-8"), "{said}");

    fs::remove_file(&users.file).expect("removable");
    fs::create_dir(&users.file).expect("a folder can be made");
    let (said, code) = users.run(&["add", "eve"], "x");
    assert_eq!(code, 1);
    assert!(said.contains("directory"), "{said}");
}

#[test]
fn a_full_disk_leaves_the_old_file_as_it_was() {
    need::root();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    // A file system of the test's own, gone with its mount namespace.
    let script = r#"
set -e
mount -t tmpfs -o size=64k,mode=700 none "$1"
cd "$1"
for user in jdoe ada; do printf 'j!doe1' | "$2" user add $user --mschap --users users.toml; done
cp users.toml /tmp/before.$$ && trap 'rm -f /tmp/before.$$' EXIT
dd if=/dev/zero of=filler bs=4k 2>/dev/null || true
for edit in 'add eve' 'passwd jdoe --mschap' 'delete ada'; do
  code=0; printf 'x' | "$2" user $edit --users users.toml || code=$?
  echo "exit $code"
done
cmp users.toml /tmp/before.$$ && echo "old file stands"
ls -A
"#;
    let run = Command::new(need::program("unshare"))
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(folder.path())
        .arg(binary())
        .output()
        .expect("unshare can be run");
    let (said, code) = text(&run);
    assert_eq!(code, 0, "{said}");
    assert_eq!(said.matches("exit 1\n").count(), 3, "{said}");
    assert_eq!(said.matches("cannot write users.toml: No space left on device").count(), 3, "{said}");
    assert!(said.contains("the old file is unchanged"), "{said}");
    assert!(said.contains("old file stands\nfiller\nusers.toml\n"), "nothing half-written is left: {said}");
}
