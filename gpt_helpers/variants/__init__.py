"""One readable file per family that differs from GPT-2."""
