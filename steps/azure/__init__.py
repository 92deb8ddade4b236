"""The steps on Azure, one small file each: what Pulumi's own providers cannot do, with Azure's and Databricks' SDKs."""
