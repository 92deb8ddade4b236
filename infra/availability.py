"""From where, and how often, Azure asks whether the service is there. No SDK is imported here."""

PLACES = ("emea-nl-ams-azr", "emea-gb-db3-azr", "emea-fr-pra-edge", "emea-ru-msa-edge", "us-va-ash-azr")
"""West Europe, North Europe, France Central, UK South, East US, as Microsoft's page "Application Insights availability
tests" names them; it recommends five, and an alert when all but two fail."""
EVERY_SECONDS = 300
