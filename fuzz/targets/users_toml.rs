//! The users file: any text is either refused with reasons, or can be edited and read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_backends::local::{StoredPassword, User, UserFile};

fuzz_target!(|text: &str| {
    let mut file = match UserFile::from_text("users.toml", text.to_owned()) {
        Ok(file) => file,
        Err(errors) => {
            assert!(!errors.0.is_empty() && !errors.to_string().is_empty());
            return;
        }
    };
    let before = file.list().count();
    let password = StoredPassword::from_nt_hex("0cb6948805f797bf2a82807973b89537").expect("a hash");
    let names: Vec<String> = file.list().map(|user| user.name.clone()).collect();
    for name in &names {
        file.set_password(name, &password).expect("another password for a user that is there");
    }
    let user = User::new("fuzz", password);
    if file.get("fuzz").is_none() {
        file.add(&user).expect("a new user");
        assert_eq!(file.list().count(), before + 1);
        file.remove("fuzz").expect("a user that is there");
    }
    assert_eq!(file.list().count(), before);
    for name in &names {
        file.remove(name).expect("a user that is there");
    }
    assert_eq!(file.list().count(), 0);
});
