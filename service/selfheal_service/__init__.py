"""The demo service that the platform heals: a small Quart application on uvicorn."""
