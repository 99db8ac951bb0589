//! The web console of a real server, met over TLS by curl and by openssl.

use crate::support::{TestVault, command, server::wait_for};
use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
};

struct Fetched {
    head: String,
    body: String,
}

/// What curl gets, trusting only the vault's own certificate.
fn fetch(vault: &TestVault, words: &[&str]) -> Fetched {
    let ran = command::run(
        Command::new("curl")
            .args(["-sS", "-i", "--max-time", "60", "--cacert"])
            .arg(vault.console_certificate())
            .args(words),
    )
    .ok();
    let (head, body) = ran.stdout.split_once("\r\n\r\n").expect("a head and a body");
    Fetched {
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}

#[test]
fn pages_come_over_tls_with_their_guards_and_nothing_without_a_session() {
    let mut vault = TestVault::new();
    let console = vault.serve_console();
    assert!(console.starts_with("https://localhost:"), "{console}");
    let at = |path: &str| format!("{console}{path}");

    let health = fetch(&vault, &[&at("/healthz")]);
    assert!(health.head.starts_with("http/1.1 200 ok"), "{}", health.head);
    assert_eq!(health.body, "ok\n");
    for field in [
        "strict-transport-security: max-age=31536000",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cross-origin-opener-policy: same-origin",
        "cross-origin-resource-policy: same-origin",
        "permissions-policy: ",
        "cache-control: no-store",
        "content-security-policy: default-src 'none';",
    ] {
        assert!(health.head.contains(field), "no {field} in {}", health.head);
    }

    let start = fetch(&vault, &[&at("/?from=mail")]);
    assert!(start.head.starts_with("http/1.1 303"), "{}", start.head);
    assert!(
        start.head.contains("location: /sign-in?next=%2f%3ffrom%3dmail"),
        "{}",
        start.head
    );

    let missing = fetch(&vault, &["-H", "Cookie: muniment-lang=en", &at("/no/such/page")]);
    assert!(missing.head.starts_with("http/1.1 404"), "{}", missing.head);
    assert!(missing.body.contains("<html lang=\"en\">") && missing.body.contains("There is nothing here"));
    let style = missing
        .body
        .split('"')
        .find(|part| part.ends_with(".css"))
        .expect("a style sheet");
    let style = fetch(&vault, &[&at(style)]);
    assert!(
        style
            .head
            .contains("cache-control: public, max-age=31536000, immutable"),
        "{}",
        style.head
    );

    let forged = fetch(
        &vault,
        &[
            "-X",
            "POST",
            "-H",
            "Origin: https://evil.example",
            &at("/healthz"),
        ],
    );
    assert!(forged.head.starts_with("http/1.1 403"), "{}", forged.head);

    let address = console
        .trim_start_matches("https://")
        .replace("localhost", "127.0.0.1");
    for (version, accepted) in [("-tls1_3", true), ("-tls1_2", true), ("-tls1_1", false)] {
        let ran = command::run(
            Command::new("openssl")
                .args([
                    "s_client",
                    "-brief",
                    "-verify_return_error",
                    version,
                    "-cipher",
                    "ALL:@SECLEVEL=0",
                    "-connect",
                ])
                .arg(&address)
                .arg("-CAfile")
                .arg(vault.console_certificate()),
        );
        assert_eq!(ran.code == Some(0), accepted, "{version}: {ran}");
    }

    // Not TLS at all: hung up on, and the server goes on.
    let mut plain = TcpStream::connect(&address).unwrap();
    plain
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let head = format!("X-Long: {}", "x".repeat(20_000));
    let long = fetch(&vault, &["-H", &head, &at("/healthz")]);
    assert!(long.head.starts_with("http/1.1 431"), "{}", long.head);
    assert_eq!(fetch(&vault, &[&at("/healthz")]).body, "ok\n");
    vault.stop();
}

#[test]
fn a_stop_waits_for_nobody_who_only_holds_a_connection() {
    let mut vault = TestVault::new();
    let console = vault.serve_console();
    let fingerprint = vault.server().said();
    assert!(fingerprint.contains("certificate_sha256"), "{fingerprint}");
    // Kept open by a client that waits for more: after the answer nothing is under way.
    let mut idle = Command::new("openssl")
        .args([
            "s_client",
            "-quiet",
            "-connect",
            console.trim_start_matches("https://"),
        ])
        .arg("-CAfile")
        .arg(vault.console_certificate())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut input = idle.stdin.take().unwrap();
    input
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut output = idle.stdout.take().unwrap();
    let (mut seen, mut byte) = (Vec::new(), [0]);
    while !seen.ends_with(b"ok\n") {
        assert_eq!(
            output.read(&mut byte).unwrap(),
            1,
            "{}",
            String::from_utf8_lossy(&seen)
        );
        seen.push(byte[0]);
    }
    vault.stop();
    drop(input);
    wait_for("the client to notice", || idle.try_wait().unwrap());
}
