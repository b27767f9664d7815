use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;

use super::*;

const NT: &str = "0cb6948805f797bf2a82807973b89537";

fn parsed(text: &str) -> Result<UserFile, String> {
    UserFile::from_text("users.toml", text.to_owned()).map_err(|errors| errors.to_string())
}

fn errors(text: &str) -> Vec<String> {
    parsed(text).err().expect("errors").lines().map(str::to_owned).collect()
}

#[test]
fn every_key_is_read() {
    let text = format!(
        "[user.alice]\nnt-hash = \"{NT}\"\ngroup-policy = \"sales\"\naddress = \"10.4.5.7\"\n\
         expires = \"2027-01-31\"\nenabled = false\n[user.\"joe@acme\"]\nnt-hash = \"{}\"\nexpires = 2027-01-31\n",
        NT.to_uppercase()
    );
    let file = parsed(&text).unwrap();
    let alice = file.get("alice").unwrap();
    assert!(alice.password == StoredPassword::nt(b"test"));
    assert_eq!(alice.group_policy.as_deref(), Some("sales"));
    assert_eq!(alice.address, Some(Ipv4Addr::new(10, 4, 5, 7)));
    assert_eq!(alice.expires.map(|date| date.to_string()).as_deref(), Some("2027-01-31"));
    assert!(!alice.enabled);
    let joe = file.get("joe@acme").unwrap();
    assert!(joe.enabled && joe.address.is_none() && joe.expires == alice.expires);
}

#[test]
fn all_errors_come_at_once_with_file_line_key_and_fix() {
    let text = format!(
        "colour = 1\n[user.a]\nnt-hash = \"xyz\"\n[user.b]\npassword-hash = \"$argon2i$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA\"\n\
         [user.c]\nnt-hash = \"{NT}\"\naddress = \"10.4.5\"\nexpires = \"2023-02-29\"\nenabled = \"yes\"\ngroup = \"x\"\n\
         [user.d]\n[user.e]\nnt-hash = \"{NT}\"\npassword-hash = \"x\"\n[user.f.g]\nnt-hash = \"{NT}\"\n"
    );
    let found = errors(&text);
    let expected = [
        "users.toml:1: colour: unknown key; remove it; the only key at this level is `user`, as in [user.NAME]",
        "users.toml:3: user.a.nt-hash: an NT hash has 32 hexadecimal digits; set it with `tollgate user passwd` (or with --mschap for MS-CHAP)",
        "users.toml:5: user.b.password-hash: not an Argon2id string ($argon2id$v=19$...) with at most 1 GiB of memory, 64 passes, 16 lanes; set it with `tollgate user passwd` (or with --mschap for MS-CHAP)",
        "users.toml:8: user.c.address: `10.4.5` is not an IPv4 address for a client; write it as \"10.4.5.7\"",
        "users.toml:9: user.c.expires: `2023-02-29` is not a day; write it as \"YYYY-MM-DD\", from 1970 on",
        "users.toml:10: user.c.enabled: must be true or false, not a string; write true or false without quotes",
        "users.toml:11: user.c.group: unknown key; remove it or use one of nt-hash, password-hash, group-policy, address, expires, enabled",
        "users.toml:12: user.d: has no password; set it with `tollgate user passwd` (or with --mschap for MS-CHAP)",
        "users.toml:15: user.e: has both nt-hash and password-hash; remove one of them",
        "users.toml:16: user.f: has no password; set it with `tollgate user passwd` (or with --mschap for MS-CHAP)",
        "users.toml:16: user.f.g: unknown key; a name with a dot needs quotes: [user.\"f.g\"]",
    ];
    for line in expected {
        assert!(found.iter().any(|one| one == line), "missing: {line}\nfound:\n{}", found.join("\n"));
    }
    assert_eq!(found.len(), expected.len(), "{}", found.join("\n"));
}

#[test]
fn broken_toml_has_a_line_too() {
    let found = errors(&format!("[user.a]\nnt-hash = \"{NT}\"\n[user.b\nnt-hash = 3\n"));
    assert!(found.iter().any(|line| line.starts_with("users.toml:3: ")), "{found:?}");
    let found = errors(&format!("[user.a]\nnt-hash = \"{NT}\"\n[user.a]\nnt-hash = \"{NT}\"\n"));
    assert!(found.iter().any(|line| line.starts_with("users.toml:3: ")), "{found:?}");
}

#[test]
fn names_that_no_login_could_use_are_refused() {
    let found =
        errors(&format!("[user.\"a\\u0000b\"]\nnt-hash = \"{NT}\"\n[user.\"\"]\nnt-hash = \"{NT}\"\n"));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("control character 0x00"), "{found:?}");
}

#[test]
fn argon2_costs_are_bounded() {
    for params in ["m=4194304,t=2,p=1", "m=19456,t=65,p=1", "m=19456,t=2,p=17"] {
        let phc = format!("$argon2id$v=19${params}$c2FsdHNhbHQ$wMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMA");
        assert!(StoredPassword::from_phc(&phc).is_err(), "{params}");
    }
    let fresh = StoredPassword::argon2id(b"hunter2").unwrap();
    let StoredPassword::Argon2id(phc) = &fresh else { panic!("argon2id") };
    assert!(StoredPassword::from_phc(phc) == Ok(fresh.clone()));
}

#[test]
fn files_that_cannot_be_read_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let words = |path: &Path| UserFile::load(path).err().expect("an error").to_string();
    assert!(words(folder.path()).contains("this is a directory; name the file itself"));
    let path = folder.path().join("users.toml");
    assert!(words(&path).contains("does not exist; make it with `tollgate user add`"));
    fs::write(&path, b"# one\n# \xff\xfe\n").unwrap();
    assert!(words(&path).contains("users.toml:2: not UTF-8; save it as UTF-8"), "{}", words(&path));
    assert!(UserFile::load_or_new(&path).is_err());
    fs::write(&path, b"").unwrap();
    assert_eq!(UserFile::load(&path).map(|file| file.list().count()).ok(), Some(0));
}

#[test]
fn the_commands_edit_the_file_and_keep_what_people_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.toml");
    let mut file = UserFile::load_or_new(&path).unwrap();
    let mut joe = User::new("joe@acme.example", StoredPassword::nt(b"test"));
    joe.group_policy = Some("sales \"east\"".to_owned());
    joe.address = Some(Ipv4Addr::new(10, 4, 5, 7));
    joe.expires = "2027-01-31".parse().ok();
    joe.enabled = false;
    file.add(&joe).unwrap();
    assert!(matches!(file.add(&joe), Err(EditError::Exists(_))));
    file.save().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("[user.\"joe@acme.example\"]\nnt-hash = \"0cb69488"), "{text}");
    fs::write(&path, format!("# our people\n{text}# kept\n")).unwrap();

    let mut file = UserFile::load(&path).unwrap();
    file.add(&User::new("ann", StoredPassword::nt(b"x"))).unwrap();
    file.set_password("joe@acme.example", &StoredPassword::argon2id(b"y").unwrap()).unwrap();
    file.save().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("# our people") && text.contains("# kept"), "{text}");
    let mut file = UserFile::load(&path).unwrap();
    let joe = file.get("joe@acme.example").unwrap();
    assert!(matches!(joe.password, StoredPassword::Argon2id(_)));
    assert_eq!(joe.group_policy.as_deref(), Some("sales \"east\""));
    assert!(!joe.enabled);

    file.remove("joe@acme.example").unwrap();
    file.save().unwrap();
    let names: Vec<String> = UserFile::load(&path).unwrap().list().map(|user| user.name.clone()).collect();
    assert_eq!(names, ["ann"]);
    assert!(matches!(file.remove("joe@acme.example"), Err(EditError::NoSuchUser(_))));
    assert!(matches!(file.set_password("nobody", &StoredPassword::nt(b"x")), Err(EditError::NoSuchUser(_))));
}

#[test]
fn an_edit_that_could_not_be_read_back_changes_nothing() {
    let mut file = parsed("").unwrap();
    assert!(matches!(file.add(&User::new("a\nb", StoredPassword::nt(b"x"))), Err(EditError::Invalid(_))));
    assert_eq!((file.list().count(), file.text.as_str()), (0, ""));
}
