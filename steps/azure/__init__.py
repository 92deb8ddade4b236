"""The steps on Azure, one small file each: what Pulumi's providers cannot do, with the SDKs of Azure and Databricks."""
