"""One module per bench of `assist bench`; each defines `command`, and nothing of the product imports them."""
