use std::process::Command;

use super::*;

#[test]
fn a_replaced_file_is_the_owners_alone_and_a_link_stays_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("users.toml"), folder.path().join("link.toml"));
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    replace(&link, b"new").unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"new");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    assert!(replace(Path::new("/nonexistent/users.toml"), b"new").is_err());
}

/// The write is made to fail for real: a child process may write no octet to any file (`ulimit -f 0`).
#[test]
fn a_full_disk_keeps_the_old_file() {
    const FOLDER: &str = "TOLLGATE_TEST_FULL_DISK";
    if let Ok(folder) = std::env::var(FOLDER) {
        let error = replace(&Path::new(&folder).join("users.toml"), &[b'#'; 4096]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge, "{error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.toml");
    fs::write(&file, "old").unwrap();
    let child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "local::atomic::tests::a_full_disk_keeps_the_old_file", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let printed =
        String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && printed.contains("1 passed"), "{printed}");
    assert_eq!(fs::read(&file).unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file was left behind");
}
