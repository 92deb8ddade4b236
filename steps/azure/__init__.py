"""The steps on Azure, one small file each: what Pulumi's providers can't do, with the SDKs of Azure and Databricks."""
