"""The stages of a run, from the request to the exported model, and what runs them."""
