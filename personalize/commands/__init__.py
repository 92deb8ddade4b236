"""The commands: `app` lists them, and imports a module of them when one of its commands is asked for."""
