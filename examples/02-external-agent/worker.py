"""A worker in Python that needs no library. Run it with: python3 worker.py [URL]"""
import http.client, json, os, random, signal, sys, time, urllib.request, uuid

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
NAME = "hello-worker"  # its group: a request goes to one member, and waits in the log while there is none
STREAM = f"{URL}/v1/events/stream?topics=action-requests&agent_name={NAME}&agent_id={NAME}-{os.getpid()}"
web = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy: the platform is near


def frames(stream):
    """Reads server-sent events: lines of `field: value`, ended by an empty one."""
    frame = {}
    for line in stream:
        field, _, value = line.decode().rstrip("\r\n").partition(": ")
        if field:
            frame[field] = value
        elif not value and "data" in frame:
            yield frame["event"], json.loads(frame.pop("data"))


def answer(request):
    data, conversation = request.get("data", {}), request.get("correlation_id", request["id"])
    if "name" in data:
        outcome = {"status": "completed", "result": {"greeting": f"hello {data['name']}"}}
    else:
        outcome = {"status": "failed", "error": f"the data of {request['type']} has no name"}
    body = json.dumps({"event": {
        # It follows from the request's: an answer that is sent again has the same id, and is published once.
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{NAME}/{request['id']}")),
        "source": NAME, "type": request["response_event"], "topic": request.get("response_topic", "action-results"),
        "parent_event_id": request["id"],  # says that the request is done with
        "correlation_id": conversation, "tenant_id": request.get("tenant_id"), "user_id": request.get("user_id"),
        "data": {"task_id": data.get("task_id", conversation), "action_id": data.get("action_id"), **outcome},
    }}).encode()
    headers = {"content-type": "application/json"}
    web.open(urllib.request.Request(f"{URL}/v1/events/publish", body, headers), timeout=30).close()


signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once: what is not answered comes again
pause = 0.1
while True:
    try:
        why = "the stream ended"
        # The timeout is for silence: the platform shows every 15 s that it lives.
        for kind, event in frames(web.open(STREAM, timeout=60)):
            if kind == "connected":
                print(f"{NAME} waits for requests at {URL}", flush=True)
                pause = 0.1
            elif kind == "message" and event["type"] == "greeting.requested" and "response_event" in event:
                answer(event)
    except (OSError, http.client.HTTPException) as error:
        why = error
    print(f"{NAME}: {why}; connecting again", file=sys.stderr, flush=True)
    time.sleep(pause * random.uniform(0.5, 1))
    pause = min(pause * 2, 30)
