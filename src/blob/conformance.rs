//! What any store must do, run with the immutable flag where the file system has it and without it everywhere.

use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

use super::{
    BlobError, ImmutableSupport, Layout, Placed, StagedBody, Store, place::Batch, staging::temporary_for,
};

/// A vault that takes off the immutable flags before it goes, or its folder couldn't be removed.
struct Vault {
    folder: tempfile::TempDir,
    layout: Layout,
    store: Store,
}

impl Drop for Vault {
    fn drop(&mut self) {
        release(self.folder.path());
    }
}

fn release(path: &Path) {
    if path.is_dir() {
        fs::read_dir(path)
            .unwrap()
            .for_each(|entry| release(&entry.unwrap().path()));
    } else if let Ok(file) = File::open(path) {
        let _ = ioctl_getflags(&file).and_then(|flags| ioctl_setflags(&file, flags - IFlags::IMMUTABLE));
    }
}

/// Runs `check` on a new vault of each kind that this machine has.
fn each_store(check: impl Fn(&Vault)) {
    let vault = |support: Option<ImmutableSupport>| {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        layout.create_folders().unwrap();
        let support = support.unwrap_or_else(|| ImmutableSupport::probe(&layout).unwrap());
        Vault {
            folder,
            store: Store::new(layout.clone(), support),
            layout,
        }
    };
    check(&vault(Some(ImmutableSupport::Unsupported(
        "switched off for this test".into(),
    ))));
    check(&vault(None));
}

impl Vault {
    fn stage(&self, id: &str, bytes: &[u8]) -> PathBuf {
        let mut body = StagedBody::create(&self.layout, id).unwrap();
        body.append(bytes).unwrap();
        body.sync().unwrap();
        body.path().to_owned()
    }

    fn content(&self) -> PathBuf {
        self.layout.content("000100012345", "E1", 1).unwrap()
    }

    fn place_content(&self, staged: &Path, place: &Path, size_bytes: u64) -> Result<Placed, BlobError> {
        self.alone(|batch| batch.content(staged, place, size_bytes))
    }

    fn place_record(&self, place: &Path, bytes: &[u8]) -> Result<Placed, BlobError> {
        self.alone(|batch| batch.record(place, bytes))
    }

    fn place_header(&self, place: &Path, bytes: &[u8]) -> Result<Placed, BlobError> {
        self.alone(|batch| batch.header(place, bytes))
    }

    /// A batch of one.
    fn alone(
        &self,
        place: impl FnOnce(&mut Batch<'_>) -> Result<Placed, BlobError>,
    ) -> Result<Placed, BlobError> {
        let mut batch = self.store.batch();
        let placed = place(&mut batch)?;
        batch.finish()?;
        Ok(placed)
    }

    /// Placed for good: read-only, and immutable exactly if it should and can be.
    fn assert_protected(&self, path: &Path, immutable: bool) {
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o7777, 0o444);
        if *self.store.immutable() == ImmutableSupport::Supported {
            let flags = ioctl_getflags(File::open(path).unwrap()).unwrap();
            assert_eq!(flags.contains(IFlags::IMMUTABLE), immutable);
            assert_eq!(fs::OpenOptions::new().write(true).open(path).is_err(), immutable);
        }
    }
}

#[test]
fn content_is_placed_once() {
    each_store(|vault| {
        let (first, place) = (vault.stage("A1", b"evidence"), vault.content());
        assert_eq!(vault.place_content(&first, &place, 8).unwrap(), Placed::Now);
        assert!(!first.exists());
        vault.assert_protected(&place, true);

        let second = vault.stage("A2", b"forgery!");
        let refused = vault.place_content(&second, &place, 8);
        assert!(
            matches!(refused, Err(BlobError::AlreadyDifferent { .. })),
            "{refused:?}"
        );
        assert_eq!(fs::read(&place).unwrap(), b"evidence");
        assert_eq!(fs::read(&second).unwrap(), b"forgery!");
    });
}

#[test]
fn content_is_placed_again_after_a_crash_at_any_step() {
    each_store(|vault| {
        let (staged, place) = (vault.stage("A1", b"evidence"), vault.content());
        // After the permissions; after the folders; after the rename.
        fs::set_permissions(&staged, fs::Permissions::from_mode(0o444)).unwrap();
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        assert_eq!(vault.place_content(&staged, &place, 8).unwrap(), Placed::Now);
        for _ in 0..2 {
            assert_eq!(vault.place_content(&staged, &place, 8).unwrap(), Placed::Before);
            vault.assert_protected(&place, true);
        }
        release(&place);
        assert_eq!(vault.place_content(&staged, &place, 8).unwrap(), Placed::Before);
        vault.assert_protected(&place, true);
    });
}

#[test]
fn content_that_isnt_what_was_sealed_is_refused() {
    each_store(|vault| {
        let (staged, place) = (vault.stage("A1", b"evidence"), vault.content());
        let refused = vault.place_content(&staged, &place, 9);
        assert!(
            matches!(refused, Err(BlobError::WrongSize { found_bytes: 8, .. })),
            "{refused:?}"
        );
        assert!(staged.exists() && !place.exists());
        vault.place_content(&staged, &place, 8).unwrap();
        let replayed = vault.place_content(&staged, &place, 7);
        assert!(
            matches!(replayed, Err(BlobError::WrongSize { .. })),
            "{replayed:?}"
        );

        let nowhere = vault.layout.content("000100012345", "E2", 1).unwrap();
        let missing = vault.place_content(&staged, &nowhere, 8);
        assert!(matches!(missing, Err(BlobError::Missing { .. })), "{missing:?}");
        assert!(!missing.unwrap_err().to_string().contains("000100012345"));
    });
}

#[test]
fn records_and_headers_are_placed_once() {
    each_store(|vault| {
        let record = vault.layout.record("000100012345", "E1", 1).unwrap();
        let header = vault.layout.header("E1", 1).unwrap();
        type Place = fn(&Vault, &Path, &[u8]) -> Result<Placed, BlobError>;
        let kinds: [(&Path, bool, Place); 2] = [
            (&record, true, Vault::place_record),
            (&header, false, Vault::place_header),
        ];
        for (path, immutable, place) in kinds {
            assert_eq!(place(vault, path, b"first").unwrap(), Placed::Now);
            vault.assert_protected(path, immutable);
            assert_eq!(place(vault, path, b"first").unwrap(), Placed::Before);
            for other in [&b"other"[..], b"firs", b"first and more", b""] {
                let refused = place(vault, path, other);
                assert!(
                    matches!(refused, Err(BlobError::AlreadyDifferent { .. })),
                    "{refused:?}"
                );
            }
            assert_eq!(fs::read(path).unwrap(), b"first");
            assert_eq!(
                fs::read_dir(path.parent().unwrap()).unwrap().count(),
                1,
                "no temporaries"
            );
        }
        // A header can be erased, and that is all it takes.
        fs::remove_file(&header).unwrap();
    });
}

#[test]
fn a_record_is_placed_again_after_a_crash_at_any_step() {
    each_store(|vault| {
        let record = vault.layout.kept_record("A1").unwrap();
        fs::create_dir_all(record.parent().unwrap()).unwrap();
        let temporary = temporary_for(&record);
        fs::write(&temporary, b"fir").unwrap();
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o444)).unwrap();
        assert_eq!(vault.place_record(&record, b"first").unwrap(), Placed::Now);
        assert!(!temporary.exists());
        // Renamed, but not yet protected.
        release(&record);
        assert_eq!(vault.place_record(&record, b"first").unwrap(), Placed::Before);
        vault.assert_protected(&record, true);
    });
}

#[test]
fn two_who_place_at_once_leave_one_file_whole() {
    each_store(|vault| {
        let place = vault.content();
        let results: Vec<_> = std::thread::scope(|scope| {
            let placed = (0..8).map(|i| {
                let staged = vault.stage(&format!("A{i}"), &[i; 4]);
                let place = &place;
                scope.spawn(move || vault.place_content(&staged, place, 4))
            });
            placed
                .collect::<Vec<_>>()
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(
            results
                .iter()
                .filter(|result| matches!(result, Ok(Placed::Now)))
                .count(),
            1
        );
        let refused = results
            .iter()
            .filter(|result| matches!(result, Err(BlobError::AlreadyDifferent { .. })));
        assert_eq!(refused.count(), 7);
        let winner = results.iter().position(Result::is_ok).unwrap() as u8;
        assert_eq!(fs::read(&place).unwrap(), [winner; 4]);
    });
}

#[test]
fn the_probe_leaves_nothing_and_survives_its_own_crash() {
    each_store(|vault| {
        let first = ImmutableSupport::probe(&vault.layout).unwrap();
        let stale = vault.folder.path().join(".immutable.tmp");
        fs::write(&stale, b"").unwrap();
        let file = File::open(&stale).unwrap();
        let _ = ioctl_getflags(&file).and_then(|flags| ioctl_setflags(&file, flags | IFlags::IMMUTABLE));
        assert_eq!(ImmutableSupport::probe(&vault.layout).unwrap(), first);
        assert!(!stale.exists());
    });
}

#[test]
fn a_batch_is_placed_as_a_whole_beside_what_is_refused_and_again_after_a_crash() {
    each_store(|vault| {
        let records: Vec<PathBuf> = (0..5)
            .map(|i| vault.layout.kept_record(&format!("A{i}")).unwrap())
            .collect();
        let (staged, content) = (vault.stage("A9", b"evidence"), vault.content());
        vault.place_record(&records[0], b"first").unwrap();
        let fill = |batch: &mut Batch<'_>| {
            batch.content(&staged, &content, 8).unwrap();
            for record in &records {
                batch.record(record, b"first").unwrap();
            }
        };
        // Given up before its end, as by a crash: nothing but what was there has a name.
        let mut batch = vault.store.batch();
        fill(&mut batch);
        let refused = batch.record(&records[0], b"other");
        assert!(matches!(refused, Err(BlobError::AlreadyDifferent { .. })));
        assert!(records[1..].iter().all(|record| !record.exists()));
        assert!(staged.exists() && !content.exists());
        drop(batch);
        let mut batch = vault.store.batch();
        fill(&mut batch);
        assert!(batch.record(&records[0], b"other").is_err());
        batch.finish().unwrap();
        for record in &records {
            assert_eq!(fs::read(record).unwrap(), b"first");
            vault.assert_protected(record, true);
        }
        vault.assert_protected(&content, true);
        let folder = fs::read_dir(records[0].parent().unwrap()).unwrap();
        assert_eq!(folder.count(), 1, "no temporaries");
    });
}
