//! Replaces a file as a whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

/// Writes `content` beside `path`, syncs it and renames it into place, readable by its owner only. On any error the
/// old file stands as it was. A link is followed, so that it stays a link; owner and group stay where the caller may
/// set them.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let mut file = tempfile::Builder::new().prefix(".tollgate-").tempfile_in(folder)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o600))?;
    if let Ok(old) = fs::metadata(&target) {
        // An administrator's edit must not take the file away from the account that the server runs under.
        let _ = fchown(file.as_file(), Some(old.uid()), Some(old.gid()));
    }
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(&target)?;
    // The rename itself must survive a crash too; a file system that cannot sync a folder has done what it can.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

#[cfg(test)]
mod tests;
