"""An options file for data files: what they hold, and options that suit them."""

from mtt.drafting.draft import Draft, draft
from mtt.drafting.write import save

__all__ = ["Draft", "draft", "save"]
