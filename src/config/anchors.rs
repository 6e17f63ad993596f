//! The authorities whose signed caller identities are believed: a directory of PEM files.

use std::path::Path;

use crate::identity::Anchors;

/// Reads every `.pem` and `.crt` file of a directory; none where no directory is given.
#[allow(clippy::disallowed_methods, reason = "reads the files that the configuration names")]
pub fn load(directory: Option<&Path>) -> Result<Anchors, String> {
    let mut anchors = Anchors::default();
    let Some(directory) = directory else { return Ok(anchors) };
    let entries = std::fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let named = |path: &Path| path.extension().is_some_and(|kind| kind == "pem" || kind == "crt");
    for path in paths.iter().filter(|path| named(path)) {
        let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        anchors.add(&pem).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(anchors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_certificate_of_the_directory_is_trusted_and_none_where_there_is_no_directory() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/stir");
        assert!(!load(Some(&here)).unwrap().is_empty());
        assert!(load(None).unwrap().is_empty());
        assert!(load(Some(Path::new("/no/such/directory"))).is_err());
    }
}
