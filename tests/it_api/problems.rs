//! What is refused says why, in one form.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::node::{Node, is_problem, ok, problem};

const OPERATIONS: &str = "/v1/rooms/room_0000000000000/operations";

#[tokio::test]
async fn bad_bodies_are_refused_with_the_field() {
    let node = Node::start().await;
    for (path, body, status, pointer, says) in [
        ("/v1/rooms", "", 400, "", "not JSON"),
        ("/v1/rooms", "{", 400, "", "not JSON"),
        ("/v1/rooms", "{\"name\":\"R\"} x", 400, "", "not JSON"),
        ("/v1/rooms", "\u{feff}{}", 400, "", "not JSON"),
        ("/v1/rooms", "[]", 422, "", "a JSON object"),
        ("/v1/rooms", " [\"R\"]", 422, "", "a JSON object"),
        ("/v1/rooms", "{\"name\":\"\u{202e}evil\"}", 422, "/name", "control"),
        ("/v1/rooms", "{}", 422, "/name", "is missing"),
        ("/v1/rooms", "{\"name\":\"R\",\"name\":\"S\"}", 422, "/name", "is there twice"),
        ("/v1/rooms", "{\"name\":5}", 422, "/name", "write text"),
        ("/v1/rooms", "{\"name\":\"  \"}", 422, "/name", "1 to 100 characters"),
        ("/v1/rooms", "{\"name\":\"a\\u0007\"}", 422, "/name", "control"),
        ("/v1/rooms", "{\"name\":\"R\",\"pin\":4711}", 422, "/pin", "write text"),
        ("/v1/rooms", "{\"name\":\"R\",\"pin\":\"47a1\"}", 422, "/pin", "1 to 20 digits"),
        ("/v1/rooms", "{\"name\":\"R\",\"pin\":\"\"}", 422, "/pin", "1 to 20 digits"),
        ("/v1/rooms", "{\"name\":\"R\",\"pin\":\"123456789012345678901\"}", 422, "/pin", "1 to 20 digits"),
        ("/v1/rooms", "{\"name\":\"R\",\"pin\":\"١٢٣\"}", 422, "/pin", "1 to 20 digits"),
        ("/v1/rooms", "{\"name\":\"R\",\"pin\":\"1\",\"host_pin\":\"1\"}", 422, "/host_pin", "must differ"),
        ("/v1/rooms", "{\"name\":\"R\",\"pin\":\"1\",\"pin_digits\":6}", 422, "/pin_digits", "either"),
        ("/v1/rooms", "{\"name\":\"R\",\"pin_digits\":3}", 422, "/pin_digits", "4 to 20"),
        ("/v1/rooms", "{\"name\":\"R\",\"colour\":\"red\"}", 422, "/colour", "no such field; there are name, pin"),
        (
            "/v1/rooms",
            "{\"name\":\"R\",\"first_caller\":\"dance\"}",
            422,
            "/first_caller",
            "`dance` is none of its values; there are",
        ),
        ("/v1/rooms", "{\"name\":\"R\",\"max_participants\":5001}", 422, "/max_participants", "1 to 5000"),
        (
            "/v1/rooms",
            "{\"name\":\"R\",\"max_participants\":-1}",
            422,
            "/max_participants",
            "write a whole number from 0 to 4294967295",
        ),
        ("/v1/rooms", "{\"name\":\"R\",\"keys\":\"none\"}", 422, "/keys", "zoom, webex, microsoft"),
        ("/v1/rooms", "{\"name\":\"R\",\"language\":\"English\"}", 422, "/language", "language tag"),
        (
            "/v1/rooms",
            "{\"name\":\"R\",\"language\":\"tlh\"}",
            422,
            "/language",
            "nothing is spoken in it; there are en, de",
        ),
        ("/v1/rooms", "{\"name\":\"R\",\"sound\":[true,false]}", 422, "/sound", "write an object"),
        ("/v1/rooms", "{\"name\":\"R\",\"sound\":[]}", 422, "/sound", "write an object"),
        ("/v1/rooms", "{\"name\":\"R\",\"elevation\":[true]}", 422, "/elevation", "write an object"),
        (OPERATIONS, "{\"operation\":\"whisper\",\"others\":100}", 422, "/others", "from 0 to 99"),
        (OPERATIONS, "{\"operation\":\"whisper\",\"others\":-1}", 422, "/others", "from 0 to 99"),
        (OPERATIONS, "{\"operation\":\"whisper\",\"others\":256}", 422, "/others", "from 0 to 99"),
        ("/v1/dids", "{\"called\":\"*\",\"action\":[\"attendant\"]}", 422, "/action", "write an object"),
        // What an object holds that is itself one of several.
        (
            "/v1/dids",
            "{\"called\":\"*\",\"action\":{\"to\":\"webhook\",\"url\":\"https://x\",\"fallback\":[\"attendant\"]}}",
            422,
            "/action/fallback",
            "write an object",
        ),
        (
            "/v1/rules",
            "{\"name\":\"R\",\"then\":{\"to\":\"webhook\",\"url\":\"https://x\",\"fallback\":{\"to\":\"webhook\",\"url\":\"https://x\",\"fallback\":[]}}}",
            422,
            "/then/fallback/fallback",
            "write an object",
        ),
        (
            "/v1/dids",
            "{\"called\":\"*\",\"action\":{\"to\":\"webhook\",\"url\":\"https://x\",\"fallback\":{\"to\":\"room\"}}}",
            422,
            "/action/fallback/room",
            "is missing",
        ),
        (
            "/v1/trunks",
            "{\"name\":\"T\",\"networks\":[\"10.0.0.0/8\",\"10.0.0.0/99\"]}",
            422,
            "/networks/1",
            "not a network",
        ),
        (
            "/v1/trunks",
            "{\"name\":\"T\",\"credentials\":{\"username\":\"u\"}}",
            422,
            "/credentials/password",
            "8 to 128",
        ),
        (
            "/v1/trunks",
            "{\"name\":\"T\",\"credentials\":{\"username\":\"a b\",\"password\":\"12345678\"}}",
            422,
            "/credentials/username",
            "1 to 64",
        ),
        (
            "/v1/trunks",
            "{\"name\":\"T\",\"networks\":[\"10.0.0.1\"],\"numbers\":{\"country\":\"+49\"}}",
            422,
            "/numbers/country",
            "digits only",
        ),
        (
            "/v1/trunks",
            "{\"name\":\"T\",\"max_calls\":1.5}",
            422,
            "/max_calls",
            "write a whole number from 0 to 4294967295",
        ),
        ("/v1/trunks", "{\"name\":\"T\"}", 422, "/networks", "nobody can be known as this trunk"),
        (
            "/v1/trunks",
            "{\"name\":\"T\",\"networks\":[\"10.0.0.1\"],\"max_calls\":0}",
            422,
            "/max_calls",
            "refuse every call",
        ),
        ("/v1/trunks", "{\"name\":\"T\",\"networks\":[\"10.0.0.1\",\"10.0.0.1/32\"]}", 422, "/networks/1", "twice"),
        ("/v1/dids", "{\"called\":\"+0\",\"action\":{\"to\":\"attendant\"}}", 422, "/called", "3 to 15 digits"),
        (
            "/v1/dids",
            "{\"called\":\"*\",\"action\":{\"to\":\"moon\"}}",
            422,
            "/action/to",
            "`moon` is none of its values; there are",
        ),
        (
            "/v1/dids",
            "{\"called\":\"*\",\"action\":{\"to\":\"room\",\"room\":\"12\"}}",
            422,
            "/action",
            "not an id of the form room_",
        ),
        (
            "/v1/dids",
            "{\"called\":\"*\",\"action\":{\"to\":\"attendant\"},\"languages\":[\"en\",\"!\"]}",
            422,
            "/languages/1",
            "language tag",
        ),
        (
            "/v1/dids",
            "{\"called\":\"*\",\"action\":{\"to\":\"attendant\"},\"languages\":[\"en\",\"de\",\"en\"]}",
            422,
            "/languages/2",
            "twice",
        ),
        ("/v1/keys", "{\"name\":\"K\",\"scopes\":[]}", 422, "/scopes", "opens nothing"),
        (
            "/v1/keys",
            "{\"name\":\"K\",\"scopes\":[\"rooms:reed\"]}",
            422,
            "/scopes/0",
            "`rooms:reed` is none of its values",
        ),
        ("/v1/explain", "{\"to\":\"x\",\"source\":\"here\"}", 422, "/source", "IP address"),
        ("/v1/login", "{}", 422, "/key", "is missing"),
    ] {
        let request = node
            .client
            .post(node.url(path))
            .bearer_auth(&node.admin)
            .header("content-type", "application/json")
            .body(body.to_owned());
        let refused = problem(request, status).await;
        let found = refused["errors"][0]["pointer"].as_str().unwrap_or_default();
        assert_eq!(found, pointer, "{body}: {refused}");
        assert!(refused.to_string().contains(says), "{body}: {refused}");
        for word in ["expected", "variant", "struct", "u32"] {
            assert!(
                status != 422 || !refused.to_string().contains(word),
                "nobody asked what it is written in: {refused}"
            );
        }
    }
    assert_eq!(ok(node.get("/v1/rooms")).await["items"], json!([]), "nothing was made");
}

#[tokio::test]
async fn who_has_nothing_to_say_sends_nothing_where_the_description_needs_no_body() {
    let node = Node::start().await;
    let doc = serde_json::to_value(ringlift::api::serve::description()).unwrap();
    let bodies = doc["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().iter());
    let mut free = Vec::new();
    for ((path, method, _), (_, operation)) in crate::access::operations().into_iter().zip(bodies) {
        let body = &operation["requestBody"];
        if method != reqwest::Method::POST || !path.starts_with("/v1/") || body["content"]["application/json"].is_null()
        {
            continue;
        }
        let answer = node.client.post(node.url(&path)).bearer_auth(&node.admin).send().await.unwrap();
        let status = answer.status().as_u16();
        if body["required"] == json!(false) {
            assert!(![400, 415].contains(&status), "{path}: {status}");
            free.push(path);
        } else {
            assert!([415, 422].contains(&status), "{path}: {status}");
            is_problem(answer, status).await;
        }
    }
    assert!(free.iter().any(|path| path.ends_with("/me_link")), "{free:?}");
    // What is sent is read, and what is needed is asked for.
    let path = "/v1/extensions/ext_0000000000000/me_link";
    problem(node.client.post(node.url(path)).bearer_auth(&node.admin).body("{}"), 415).await;
    problem(node.post(path, json!({ "second": 5 })), 422).await;
    problem(node.client.put(node.url("/v1/extensions/ext_0000000000000/follow")).bearer_auth(&node.admin), 415).await;
}

#[tokio::test]
async fn all_mistakes_of_a_body_are_told_at_once() {
    let node = Node::start().await;
    let refused =
        problem(node.post("/v1/rooms", json!({ "name": "", "pin": "x", "keys": "y", "max_participants": 0 })), 422)
            .await;
    assert_eq!(refused["errors"].as_array().unwrap().len(), 4);
    assert_eq!(refused["detail"], "4 fields are wrong");
}

#[tokio::test]
async fn what_is_not_there_not_allowed_too_large_or_not_json_is_a_problem_too() {
    let node = Node::start().await;
    problem(node.get("/v1/nothing"), 404).await;
    problem(node.get("/v1/rooms/nothing"), 404).await;
    problem(node.get("/v1/rooms/trunk_0000000000000"), 404).await;
    problem(node.get("/v1/rooms/%ff"), 404).await;
    let refused = node.client.patch(node.url("/v1/rooms")).bearer_auth(&node.admin).send().await.unwrap();
    let allow = refused.headers()["allow"].to_str().unwrap().to_owned();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
    is_problem(refused, 405).await;
    problem(node.client.post(node.url("/v1/rooms")).bearer_auth(&node.admin).body("name=R"), 415).await;
    problem(
        node.client
            .post(node.url("/v1/rooms"))
            .bearer_auth(&node.admin)
            .header("content-type", "text/plain")
            .body("{}"),
        415,
    )
    .await;
    let large = json!({ "name": "x".repeat(70_000) });
    problem(node.post("/v1/rooms", large.clone()), 413).await;
    // Without a length, too.
    let chunks = futures_util::stream::iter(vec![Ok::<_, std::io::Error>(large.to_string())]);
    let request =
        node.client.post(node.url("/v1/rooms")).bearer_auth(&node.admin).header("content-type", "application/json");
    problem(request.body(reqwest::Body::wrap_stream(chunks)), 413).await;
}

#[tokio::test]
async fn bytes_that_are_no_http_end_the_connection_and_nothing_else() {
    let node = Node::start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"INVITE sip:x SIP/2.0\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\0\0\0",
    ] {
        let mut stream = tokio::net::TcpStream::connect(node.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    }
    ok(node.get("/v1/status")).await;
}

#[tokio::test]
async fn when_the_gateway_is_gone_the_api_says_so() {
    let path = crate::node::fresh_path();
    let opened = ringlift::store::Store::open(&path, ringlift::store::clock::utc()).await.unwrap();
    let settings = ringlift::store::Settings { path, event_days: 0, record_days: 0 };
    let writer = ringlift::store::Writer::start(opened.store.clone(), settings);
    let (handle, inbox) = ringlift::engine::handle::Handle::new(opened.store.clone(), writer);
    drop(inbox);
    let key = ringlift::api::first_key::first_key(&opened.store).await.unwrap().unwrap();
    let app = ringlift::api::Shared::start(handle, ringlift::api::Settings::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(ringlift::api::serve(listener, None, app, std::future::pending()));
    let client = reqwest::Client::new();
    let refused = client.get(format!("{url}/v1/rooms")).bearer_auth(key.expose()).send().await.unwrap();
    assert!(refused.headers().contains_key("retry-after"));
    is_problem(refused, 503).await;
    assert_eq!(client.get(format!("{url}/readyz")).send().await.unwrap().status(), 503);
    assert_eq!(client.get(format!("{url}/healthz")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_query_parameter_that_there_is_not_is_refused_by_name() {
    let node = Node::start().await;
    for (path, name, says) in [
        ("/v1/rooms?romm=x", "?romm", "there are none here"),
        ("/v1/calls?limit=5", "?limit", "there are none here"),
        ("/v1/call-records?rooms=x", "?rooms", "there are room, cause, since, until, cursor, limit"),
        ("/v1/events?since=5", "?since", "there are after, room"),
    ] {
        let refused = problem(node.get(path), 400).await;
        assert_eq!(refused["errors"][0]["pointer"], name, "{refused}");
        assert!(refused["detail"].as_str().unwrap().ends_with(says), "{refused}");
    }
    problem(node.post("/v1/rooms?dry=1", json!({ "name": "R" })), 400).await;
    assert_eq!(ok(node.get("/v1/rooms?")).await["items"], json!([]), "nothing was made");
    let refused = problem(node.get("/v1/call-records?limit=5&limit=6"), 400).await;
    assert_eq!(refused["errors"][0], json!({ "pointer": "?limit", "detail": "is there twice" }));
    let refused = problem(node.get("/v1/call-records?limit=many"), 400).await;
    assert!(!refused.to_string().contains("digit found"), "{refused}");
}
