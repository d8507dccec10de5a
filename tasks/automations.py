"""Put the notifications of automations.yaml on Prefect's server.

Automations of the same names are replaced; others are not touched.
"""

from pathlib import Path
from typing import Any

import httpx
import yaml
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import PrefectClient, get_client
from prefect.events.schemas.automations import AutomationCore
from prefect.settings import PREFECT_API_URL

from gfr.errors import InputError

BLOCK = "gfr-webhook"
_PLACEHOLDER = "block_document_id: webhook"  # in the file; `webhook` stands for the block's id
_HEADERS = {"Content-Type": "application/json"}


async def apply(path: Path, webhook: str) -> list[str]:
    """Put a file's automations on the server, sent to the URL `webhook`; returns their names."""
    url = PREFECT_API_URL.value()
    if not url:
        raise InputError(
            "PREFECT_API_URL: not set. Run `make server`, then `export "
            "PREFECT_API_URL=http://127.0.0.1:4200/api`"
        )
    try:
        await Webhook.register_type_and_schema()
        block = await Webhook(url=webhook, headers=_HEADERS).save(BLOCK, overwrite=True)
        async with get_client() as client:
            text = path.read_text("utf-8").replace(_PLACEHOLDER, f"block_document_id: {block}")
            return [await _replace(client, row) for row in yaml.safe_load(text)["automations"]]
    except httpx.TransportError as error:
        raise InputError(f"{url}: no answer ({error}). Start the server: make server") from None


async def _replace(client: PrefectClient, row: dict[str, Any]) -> str:
    automation = AutomationCore.model_validate(row)
    for existing in await client.read_automations_by_name(automation.name):
        await client.delete_automation(existing.id)
    await client.create_automation(automation)
    return automation.name
