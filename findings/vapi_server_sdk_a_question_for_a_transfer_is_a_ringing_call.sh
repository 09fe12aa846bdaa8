#!/usr/bin/env bash
# vapi-server-sdk 3.0.0, Vapi's package for Python, over pydantic 2.12.5, seen 2026-11-29 (Debian 12, Python 3.11,
# x86-64).
#
# Behaviour: `ServerMessage` is the package's type of what Vapi posts to a server, and has a class for each kind of
# message. Which class a message becomes is not decided by its `type`: each class allows any text there beside its own.
# It goes by the fields that fit, and among equals by the order in the package, in which `ServerMessageAssistantRequest`
# comes first and needs nothing but a type. So `transfer-destination-request` and `hang`, which have no fields of their
# own, are assistant requests, and so is `user-interrupted` without its optional turn and `assistant.started`, which an
# assistant sends by Vapi's default and for which there is no class. `knowledge-base-request` is a conversation update.
# `type` still reads as it came. There is no error; kinds with fields of their own come out right.
#
# What one would have guessed: that of the classes which name one kind each, the one that names this kind is taken, or
# that what has none is told apart as unknown. A server that branches by class takes each of these messages for a call
# that rings: looks the caller up anew, counts a call more, and answers the question where to transfer a caller to with
# an assistant and no destination. Whoever tries it with a call that rings, speaks and ends sees nothing of it.
#
# Output seen:
#   assistant-request: ServerMessageAssistantRequest
#   status-update: ServerMessageStatusUpdate
#   transcript: ServerMessageTranscript
#   tool-calls: ServerMessageToolCalls
#   end-of-call-report: ServerMessageEndOfCallReport
#   transfer-destination-request: ServerMessageAssistantRequest
#   hang: ServerMessageAssistantRequest
#   user-interrupted: ServerMessageAssistantRequest
#   assistant.started: ServerMessageAssistantRequest
#   knowledge-base-request: ServerMessageConversationUpdate
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check vapi-server-sdk==3.0.0 pydantic==2.12.5
cat >"$folder/seen.py" <<'PY'
import vapi

CALL = {
    "id": "00000000-0000-4000-8000-000000000001",
    "orgId": "00000000-0000-4000-8000-000000000002",
    "type": "inboundPhoneCall",
    "status": "in-progress",
    "createdAt": "2026-11-29T10:00:00.000Z",
    "updatedAt": "2026-11-29T10:00:00.000Z",
    "customer": {"number": "+12025550199"},
}
TOOL_CALL = {"id": "call_1", "type": "function", "function": {"name": "identify", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "identify"}, "toolCall": TOOL_CALL}


def becomes(kind, **fields):
    message = {"type": kind, "timestamp": 1_795_946_400_000, "call": CALL, "customer": CALL["customer"], **fields}
    parsed = vapi.ServerMessage.model_validate({"message": message}).message
    assert parsed.type == kind and parsed.call.customer.number == "+12025550199"
    print(f"{kind}: {type(parsed).__name__}")
    return type(parsed)


request = vapi.ServerMessageAssistantRequest
assert becomes("assistant-request") is request
assert becomes("status-update", status="in-progress") is vapi.ServerMessageStatusUpdate
heard = {"role": "user", "transcriptType": "final", "transcript": "Good morning."}
assert becomes("transcript", **heard) is vapi.ServerMessageTranscript
called = becomes("tool-calls", toolCallList=[TOOL_CALL], toolWithToolCallList=[TOOL])
assert called is vapi.ServerMessageToolCalls
ended = {"endedReason": "customer-ended-call", "artifact": {"messages": []}, "analysis": {}}
assert becomes("end-of-call-report", **ended) is vapi.ServerMessageEndOfCallReport

# Each but the last has a class, which takes the same message when it is asked itself.
own = {
    "transfer-destination-request": vapi.ServerMessageTransferDestinationRequest,
    "hang": vapi.ServerMessageHang,
    "user-interrupted": vapi.ServerMessageUserInterrupted,
    "assistant.started": None,
}
for kind, wanted in own.items():
    assert becomes(kind) is request
    if wanted:
        assert wanted.model_validate({"type": kind, "call": CALL}).type == kind
asked = {"messages": [], "messagesOpenAIFormatted": [{"role": "user", "content": "When do you open?"}]}
assert becomes("knowledge-base-request", **asked) is vapi.ServerMessageConversationUpdate
known = vapi.ServerMessageKnowledgeBaseRequest.model_validate({"type": "knowledge-base-request", "call": CALL, **asked})
assert known.messages_open_ai_formatted[0].role == "user"
PY
"$folder/venv/bin/python" "$folder/seen.py"
