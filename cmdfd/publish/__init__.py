"""Publishes a built set to the Hugging Face Hub: checked, scrubbed, gated, documented, verified, then visible."""
