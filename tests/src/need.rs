//! Programs that the tests need and do not bring. A test without one fails: it never passes by being skipped.

use std::path::PathBuf;

/// The command that installs everything; the README names it too.
pub const INSTALL: &str = "tests/run --install";

/// Finds a program, or fails saying how to install it.
pub fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed; run `{INSTALL}` as root"))
}

/// Fails unless the tests may make network namespaces and devices.
pub fn root() {
    // SAFETY: geteuid takes and changes nothing.
    #[allow(unsafe_code)]
    let user = unsafe { libc::geteuid() };
    assert_eq!(
        user, 0,
        "this test makes network namespaces: run it as root, in a container or a virtual machine"
    );
}
