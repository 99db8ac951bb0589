//! The console as somebody hostile meets it, after OWASP's testing guide: fields of answers, forged forms, script in names, paths that
//! climb, SQL in every field, bodies without an end, clients that dawdle. Every route of the table is tried.

use crate::support::{AUDITOR, TestVault, media, visitor::Visitor};
use muniment::console::routes::{Need, routes};
use std::{
    fmt::Write as _,
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
};

/// A console with an auditor, who may look everywhere, signed in.
fn audited() -> (TestVault, Visitor) {
    let mut vault = TestVault::new();
    vault.serve_console();
    let auditor = Visitor::signed_in(&vault, AUDITOR);
    (vault, auditor)
}

/// Each route's address with something in the place of its parts.
fn addresses(filler: &str) -> Vec<(String, String)> {
    let filled = |path: &str| -> String {
        let parts = path
            .split('/')
            .map(|part| if part.starts_with('{') { filler } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    routes()
        .iter()
        .map(|route| (route.method.to_string(), filled(route.path)))
        .collect()
}

#[test]
fn every_answer_carries_its_guards_whoever_asks_what() {
    let (vault, auditor) = audited();
    let nobody = Visitor::nobody(&vault);
    for (method, address) in addresses("1") {
        if address == "/sign-out" || address == "/account/sessions/end" {
            continue;
        }
        for who in [&nobody, &auditor] {
            let answer = who.ask(&address, &["-X", &method, "-H", "Content-Length: 0"]);
            let said = format!("{method} {address} by {}: {}", who.name, answer.head);
            assert!(answer.status < 500, "{said}");
            for field in [
                "content-security-policy",
                "x-content-type-options",
                "referrer-policy",
                "cross-origin-opener-policy",
            ] {
                assert!(answer.field(field).is_some(), "no {field} in {said}");
            }
            let policy = answer.field("content-security-policy").unwrap();
            assert!(
                policy.contains("default-src 'none'") && !policy.contains("unsafe-eval"),
                "{said}"
            );
            assert!(answer.field("strict-transport-security").is_some(), "{said}");
            for gossip in ["server", "x-powered-by", "access-control-allow-origin"] {
                assert!(answer.field(gossip).is_none(), "{gossip} in {said}");
            }
            if !address.starts_with("/assets/") {
                assert!(
                    answer
                        .field("cache-control")
                        .is_some_and(|kept| kept.contains("no-store")),
                    "{said}"
                );
            }
            for cookie in answer
                .head
                .lines()
                .filter(|line| line.starts_with("set-cookie: __host-"))
            {
                assert!(
                    ["secure", "httponly", "samesite=strict", "path=/"]
                        .iter()
                        .all(|word| cookie.contains(word)),
                    "{cookie}"
                );
            }
            for way in ["TRACE", "CONNECT", "PATCH", "PROPFIND"] {
                assert!(who.ask(&address, &["-X", way]).status >= 400, "{way} {address}");
            }
        }
    }
}

#[test]
fn no_form_counts_without_our_origin_and_the_sessions_token() {
    let (vault, auditor) = audited();
    let console = vault.server().console.clone().unwrap();
    let (ours, theirs) = (
        format!("Origin: {console}"),
        "Origin: https://evil.example".to_owned(),
    );
    let forms = routes()
        .into_iter()
        .filter(|route| route.method != "GET" && !route.is_api());
    for route in forms.filter(|route| route.need != Need::Public) {
        let address: String = route.path.replace(['{', '}'], "1");
        let form = ["-H", "Content-Type: application/x-www-form-urlencoded", "-d"];
        let multipart = ["-H", "Content-Type: multipart/form-data; boundary=b", "-d"];
        let in_parts = "--b\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nAAAA\r\n--b--\r\n";
        for (what, words) in [
            ("no token", [&form[..], &["reason=x"], &["-H", &ours]].concat()),
            (
                "a wrong token",
                [&form[..], &["csrf=AAAA&reason=x"], &["-H", &ours]].concat(),
            ),
            (
                "a wrong token in parts",
                [&multipart[..], &[in_parts], &["-H", &ours]].concat(),
            ),
            (
                "another site",
                [&form[..], &["csrf=AAAA"], &["-H", &theirs]].concat(),
            ),
            ("no origin", [&form[..], &["csrf=AAAA"]].concat()),
            (
                "text, as a form of another site can send it",
                vec!["-H", "Content-Type: text/plain", "-d", "{}", "-H", &theirs],
            ),
            ("nothing", vec!["-X", "POST", "-H", "Content-Length: 0"]),
        ] {
            let answer = auditor.ask(&address, &words);
            assert_eq!(
                answer.status,
                403,
                "{address} took a form with {what}: {}",
                answer.text()
            );
        }
    }
    assert!(vault.leaves("access.requested").is_empty() && vault.leaves("user.added").len() <= 2);
}

#[test]
fn nothing_climbs_out_breaks_in_or_is_passed_on() {
    let (vault, auditor) = audited();
    let config = std::fs::read_to_string(vault.config_file()).unwrap();
    let climbs = [
        "../../../../etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "..%5c..%5cetc",
        "..%00",
        "%c0%ae%c0%ae/",
    ];
    let sql = [
        "'",
        "' OR 1=1 --",
        "\"; DROP TABLE person; --",
        "%' ESCAPE '",
        "1) UNION SELECT sql FROM sqlite_master --",
        "*\" NEAR \"",
        "\u{0}",
    ];
    let script = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "javascript:alert(1)",
        "'-alert(1)-'",
        "{{7*7}}",
        "%3Cscript%3E",
    ];
    let split = [
        "x\r\nSet-Cookie: a=b",
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example",
        "/%2f/evil.example",
    ];
    let fields = [
        "q", "customer", "flow", "branch", "doctype", "type", "from", "to", "state", "digest", "after",
        "cursor", "next", "lang", "v", "evidence", "format", "person", "page", "sort", "name", "kind",
        "grant",
    ];
    let encode = |text: &str| -> String {
        text.bytes().fold(String::new(), |mut all, byte| {
            let _ = write!(all, "%{byte:02x}");
            all
        })
    };
    let harmless = |said: &str, answer: &crate::support::visitor::Answer| {
        let text = answer.text();
        assert!(answer.status < 500, "{said}: {text}");
        assert!(
            !text.contains("root:") && !text.contains(config.lines().next().unwrap()),
            "{said}: {text}"
        );
        assert!(
            !text.contains("<script>alert") && !text.contains("<img src=x"),
            "{said}: {text}"
        );
        assert!(
            !text.contains("SQLITE")
                && !text.contains("no such column")
                && !text.contains("syntax error")
                && !text.contains("panicked"),
            "{said}: {text}"
        );
        if let Some(location) = answer.field("location") {
            assert!(
                location.starts_with('/') && !location.starts_with("//") && !location.starts_with("/\\"),
                "{said}: {location}"
            );
        }
        assert!(
            !answer.head.contains("set-cookie: a=b"),
            "{said}: {}",
            answer.head
        );
    };
    let gets = |filler: &str| {
        let mut gets = addresses(filler);
        gets.retain(|(method, _)| method == "GET");
        gets.into_iter().map(|(_, address)| address)
    };
    let mut asked = Vec::new();
    for filler in climbs {
        asked.extend(gets(filler));
        asked.extend(["/", "/assets/", "/api/v1/", "/evidence/"].map(|folder| format!("{folder}{filler}")));
    }
    let pages: Vec<String> = gets("1").collect();
    for text in sql.iter().chain(&script).chain(&split) {
        // All fields at once: each is looked at, whichever the page knows.
        let query: Vec<String> = fields
            .iter()
            .map(|field| format!("{field}={}", encode(text)))
            .collect();
        let query = query.join("&");
        asked.extend(pages.iter().map(|page| format!("{page}?{query}")));
        asked.extend(gets(&encode(text)));
    }
    // One field by itself goes further than all of them together where another one stopped it.
    let text = encode(&format!("{}{}", sql[1], script[1]));
    for page in pages.iter().filter(|page| !page.starts_with("/assets/")) {
        asked.extend(fields.iter().map(|field| format!("{page}?{field}={text}")));
    }
    for (address, answer) in asked.iter().zip(&auditor.get_all(&asked)) {
        harmless(address, answer);
    }
    assert!(!vault.muniment_json(&["user", "list"]).to_string().is_empty());
    vault.assert_sound();
}

#[test]
fn what_is_too_much_or_too_slow_is_turned_away_and_others_are_served() {
    let (vault, auditor) = audited();
    let console = vault.server().console.clone().unwrap();
    let huge = vault.file("huge", &media::noise(8 << 20, 3));
    let body = format!("@{}", huge.display());
    for (method, address) in addresses("1") {
        if method == "GET" || address == "/sign-out" {
            continue;
        }
        let answer = auditor.ask(
            &address,
            &[
                "-X",
                &method,
                "--data-binary",
                &body,
                "-H",
                &format!("Origin: {console}"),
            ],
        );
        assert!(
            answer.status == 0 || (400..500).contains(&answer.status),
            "{method} {address} took 8 MiB: {}",
            answer.status
        );
        let endless = [
            "-X",
            &method,
            "-H",
            "Transfer-Encoding: chunked",
            "--data-binary",
            &body,
            "-H",
            &format!("Origin: {console}"),
        ];
        let answer = auditor.ask(&address, &endless);
        assert!(
            answer.status == 0 || (400..500).contains(&answer.status),
            "{method} {address} took chunks: {}",
            answer.status
        );
    }
    let long = "a".repeat(20_000);
    assert!((400..500).contains(&auditor.get(&format!("/?q={long}")).status));
    let many: String = (0..600).fold(String::new(), |mut all, n| {
        let _ = write!(all, "f{n}=&");
        all
    });
    assert!((400..500).contains(&auditor.get(&format!("/?{many}")).status));

    // Many who open a connection and say a word now and then: nobody else waits for them.
    let address = console
        .trim_start_matches("https://")
        .replace("localhost", "127.0.0.1");
    let mut idle: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let mut slow: Vec<_> = (0..10)
        .map(|_| {
            let mut client = Command::new("openssl")
                .args(["s_client", "-quiet", "-connect", &address])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut input = client.stdin.take().unwrap();
            input
                .write_all(b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nn")
                .unwrap();
            (client, input)
        })
        .collect();
    for _ in 0..5 {
        assert_eq!(auditor.get("/account").status, 200);
    }
    let resident = vault.server().resident_bytes();
    assert!(resident < 512 << 20, "{resident} bytes resident");
    for (client, _) in &mut slow {
        let _ = client.kill();
        let _ = client.wait();
    }
    for stream in &mut idle {
        let _ = stream.set_nonblocking(true);
        let _ = stream.read(&mut [0; 16]);
    }
    assert_eq!(auditor.get("/account").status, 200);
}

#[test]
fn a_session_is_worth_nothing_after_signing_out_and_none_can_be_planted() {
    let (vault, auditor) = audited();
    let cookie = format!("Cookie: __Host-muniment={}", auditor.secret());
    let thief = Visitor::nobody(&vault);
    assert_eq!(
        thief.ask("/account", &["-H", &cookie]).status,
        200,
        "a cookie is what a session is"
    );
    assert_eq!(auditor.post("/sign-out", &[]).status, 303);
    for path in ["/account", "/", "/account/tokens/issue"] {
        assert_eq!(
            thief.ask(path, &["-H", &cookie]).status,
            303,
            "{path} with the secret of a session that is over"
        );
    }
    // Somebody plants a secret of their own choosing and waits for a person to sign in with it.
    let planted = format!("__Host-muniment={}", "A".repeat(43));
    let before = thief.ask("/sign-in", &["-H", &format!("Cookie: {planted}")]);
    assert!(!before.head.contains(&planted.to_lowercase()));
    assert_eq!(
        thief
            .ask("/account", &["-H", &format!("Cookie: {planted}")])
            .status,
        303
    );
    assert_eq!(vault.leaves("user.signed_out").len(), 1);
    assert!(
        vault
            .leaves("user.signed_in")
            .iter()
            .all(|leaf| leaf["data"]["person"].is_string())
    );
}
