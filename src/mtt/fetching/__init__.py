"""Models at addresses of the web, and on the Hugging Face hub: downloaded once, then cached."""

from mtt.fetching.address import is_address, shown
from mtt.fetching.fetch import Fetched, fetch, located, named_by_address

__all__ = ["Fetched", "fetch", "is_address", "located", "named_by_address", "shown"]
