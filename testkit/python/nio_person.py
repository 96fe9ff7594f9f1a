"""A person who uses an unmodified matrix-nio: reads commands and writes answers, one JSON object a line.

Arguments: the server's URL, the certificate authority's file, a folder for the store. It ends with its input.
"""

import asyncio
import json
import ssl
import sys
import time

from nio import AsyncClient, AsyncClientConfig, ErrorResponse, MegolmEvent, RoomMessageText

PATIENCE_S = 50


class Person:
    def __init__(self, url, authority, store):
        config = AsyncClientConfig(
            encryption_enabled=True, store_sync_tokens=True, max_timeouts=2, request_timeout=30
        )
        trust = ssl.create_default_context(cafile=authority)
        self.client = AsyncClient(url, "", store_path=store, config=config, ssl=trust)
        self.texts = []
        self.undecrypted = []
        self.client.add_event_callback(self.on_text, RoomMessageText)
        self.client.add_event_callback(self.on_undecrypted, MegolmEvent)

    async def on_text(self, room, event):
        self.texts.append(
            {"sender": event.sender, "body": event.body, "encrypted": event.decrypted, "id": event.event_id}
        )

    async def on_undecrypted(self, room, event):
        self.undecrypted.append(event.event_id)

    async def do_register(self, username, password, token=None):
        if token is None:
            answer = checked(await self.client.register(username, password))
        else:
            answer = checked(await self.client.register_with_token(username, password, token))
        return {"user_id": answer.user_id}

    async def do_login(self, username, password):
        self.client.user = username
        answer = checked(await self.client.login(password, device_name="nio"))
        checked(await self.client.sync(timeout=0, full_state=True))
        await self.upkeep()
        return {"user_id": answer.user_id, "device_id": answer.device_id}

    async def do_create_room(self, invite):
        encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
        answer = checked(
            await self.client.room_create(invite=invite, is_direct=True, initial_state=[encryption])
        )
        return {"room_id": answer.room_id}

    async def do_join(self, room_id):
        checked(await self.client.join(room_id))
        return {}

    async def do_wait_for_invite(self):
        await self.sync_until(lambda: self.client.invited_rooms)
        return {"room_id": next(iter(self.client.invited_rooms))}

    async def do_wait_for_member(self, room_id, user_id):
        def joined():
            room = self.client.rooms.get(room_id)
            member = room.users.get(user_id) if room else None
            return member is not None and not member.invited

        await self.sync_until(joined)
        return {"encrypted": self.client.rooms[room_id].encrypted}

    async def do_send(self, room_id, body):
        await self.sync_until(lambda: room_id in self.client.rooms)
        content = {"msgtype": "m.text", "body": body}
        answer = checked(
            await self.client.room_send(
                room_id, "m.room.message", content, ignore_unverified_devices=True
            )
        )
        return {"event_id": answer.event_id}

    async def do_wait_for_text(self, body):
        await self.sync_until(lambda: any(text["body"] == body for text in self.texts))
        return next(text for text in self.texts if text["body"] == body)

    async def sync_until(self, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {PATIENCE_S} s; could not decrypt {self.undecrypted}")
            checked(await self.client.sync(timeout=1000))
            await self.upkeep()

    async def upkeep(self):
        """What `sync_forever` does after each sync."""
        await self.client.run_response_callbacks([])
        if self.client.should_upload_keys:
            checked(await self.client.keys_upload())
        if self.client.should_query_keys:
            checked(await self.client.keys_query())
        if self.client.should_claim_keys:
            checked(await self.client.keys_claim(self.client.get_users_for_key_claiming()))
        await self.client.send_to_device_messages()


def checked(answer):
    if isinstance(answer, ErrorResponse):
        raise RuntimeError(str(answer))
    return answer


async def main(url, authority, store):
    person = Person(url, authority, store)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        request = json.loads(line)
        try:
            command = getattr(person, "do_" + request.pop("do"))
            answer = await command(**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    await person.client.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
