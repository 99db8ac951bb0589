//! Making a vault.

use crate::support::{Vault, muniment};
use muniment::{
    config::Config,
    crypto::{Identity, Recipient, StagingKey},
    domain::event::{Kind, Leaf},
    tlog::{
        key::{SignerKey, VerifierKey},
        store::LogDir,
    },
};
use std::{fs, os::unix::fs::PermissionsExt};

#[test]
fn a_new_vault_has_usable_keys_and_the_first_events() {
    let vault = Vault::new();
    let keys = vault.path().join("keys");
    let read = |name: &str| fs::read_to_string(keys.join(name)).unwrap();
    let config = Config::load(&vault.path().join("muniment.toml")).unwrap();
    assert_eq!(config.vault.origin, "example.org/test");

    let identities =
        ["identity.age", "escrow.age"].map(|name| Identity::parse_file(&read(name)).unwrap().remove(0));
    let recipients: Vec<Recipient> = config
        .keys
        .recipients
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    assert_eq!(recipients, identities.map(|identity| identity.recipient()));
    let signer = SignerKey::parse(read("log.key").trim()).unwrap();
    assert_eq!(
        signer.verifier(),
        &VerifierKey::parse(read("log.pub").trim()).unwrap()
    );
    StagingKey::load(&keys.join("staging.key")).unwrap();
    let host_key = russh::keys::PrivateKey::from_openssh(read("host_ed25519")).unwrap();
    assert_eq!(
        host_key.public_key().to_openssh().unwrap(),
        read("host_ed25519.pub").trim()
    );

    let mode = |name: &str| {
        fs::metadata(vault.path().join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    for name in [
        "keys/identity.age",
        "keys/escrow.age",
        "keys/log.key",
        "keys/staging.key",
        "keys/host_ed25519",
    ] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    assert_eq!(
        (mode(""), mode("keys"), mode("catalog.db")),
        (0o700, 0o700, 0o600)
    );

    let log = LogDir::new(vault.path().join("log"));
    let leaves: Vec<Leaf> = log
        .entries(0, 3)
        .unwrap()
        .iter()
        .map(|bytes| serde_json::from_slice(bytes).unwrap())
        .collect();
    assert_eq!(
        leaves.iter().map(|leaf| leaf.kind).collect::<Vec<_>>(),
        [
            Kind::VaultCreated,
            Kind::StoreCapability,
            Kind::DocumentTypesPublished
        ]
    );
    assert_eq!(leaves[0].text("origin"), Some("example.org/test"));
    assert_eq!(leaves[0].integer("format"), Some(1));
    assert_eq!(
        leaves[0].data["recipients"],
        serde_json::json!(config.keys.recipients)
    );
    vault.run(&["log", "verify"]).ok();
}

#[test]
fn which_keys_must_leave_is_said_and_with_an_escrow_from_elsewhere_there_is_none_here() {
    let folder = tempfile::tempdir().unwrap();
    let escrow = Identity::generate().recipient().to_string();
    let made = muniment(
        folder.path(),
        &["init", "--vault", "v", "--escrow-recipient", &escrow, "--json"],
    )
    .ok()
    .json();
    assert_eq!(made["recipients"][1], escrow);
    let moved: Vec<&str> = made["keys"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key["move_offline"] == true)
        .map(|key| key["file"].as_str().unwrap())
        .collect();
    assert_eq!(moved.len(), 1);
    assert!(moved[0].ends_with("keys/identity.age"));
    assert!(!folder.path().join("v/keys/escrow.age").exists());
    assert!(
        made["origin"].as_str().unwrap().starts_with("muniment/"),
        "a log has a name of its own"
    );
}

#[test]
fn what_exists_is_never_touched() {
    let vault = Vault::new();
    let before = fs::read(vault.path().join("keys/log.key")).unwrap();
    muniment(vault.folder.path(), &["init", "--vault", "vault"]).says(1, &["isn't empty", "another folder"]);
    assert_eq!(fs::read(vault.path().join("keys/log.key")).unwrap(), before);
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    muniment(folder.path(), &["init", "--vault", "empty"]).ok();
}

#[test]
fn wrong_arguments_end_with_2_and_make_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["init"][..],
        &["init", "--vault", "v", "--escrow-recipient", "age1nonsense"],
        &["init", "--vault", "v", "--listen", "here"],
        &["init", "--vault", "v", "--config", "c.toml"],
        &["init", "--vault", "v", "--origin", "日志"],
    ] {
        assert_eq!(muniment(folder.path(), arguments).code, 2, "{arguments:?}");
    }
    assert!(!folder.path().join("v").exists());
}
