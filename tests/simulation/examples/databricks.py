"""A valid example of each type of the simulated Databricks, in creation order."""

from typing import Any

from tests.simulation.examples.names import DEPLOYER, GROUP, SUBSCRIPTION
from tests.simulation.services.jobs import JOB, POLICY
from tests.simulation.services.privileges import GRANT, PERMISSIONS
from tests.simulation.services.unity import CATALOG, CREDENTIAL, LOCATION, MEMBER, SCHEMA, VOLUME

APPLICATION = "77777777-7777-4777-8777-777777777777"
WORK = "abfss://work@lakeabc.dfs.core.windows.net"
CONNECTOR = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Databricks/accessConnectors/lake-access"
LIBRARIES = "/Volumes/dev/training/libraries"
RAW = {"name": "raw-dev", "url": "abfss://raw@lakeabc.dfs.core.windows.net/", "credentialName": "lake-dev"}
EXAMPLES: list[tuple[str, dict[str, Any]]] = [
    (
        CREDENTIAL,
        {"name": "lake-dev", "azureManagedIdentity": {"accessConnectorId": CONNECTOR}, "skipValidation": True},
    ),
    (LOCATION, RAW | {"skipValidation": True}),
    (GRANT, {"externalLocation": "raw-dev", "principal": DEPLOYER, "privileges": ["READ_FILES", "WRITE_FILES"]}),
    (POLICY, {"name": "training-dev", "definition": "{}"}),
    (
        JOB,
        {
            "name": "training-dev",
            "maxConcurrentRuns": 1,
            "jobClusters": [
                {
                    "jobClusterKey": "train",
                    "newCluster": {
                        "sparkVersion": "15.4.x-scala2.12",
                        "nodeTypeId": "Standard_E8ds_v5",
                        "numWorkers": 2,
                        "dataSecurityMode": "SINGLE_USER",
                        "policyId": "1001",
                    },
                }
            ],
            "tasks": [
                {
                    "taskKey": "train",
                    "jobClusterKey": "train",
                    "pythonWheelTask": {"packageName": "personalization", "entryPoint": "train"},
                    "libraries": [
                        {"requirements": f"{LIBRARIES}/requirements.txt"},
                    ],
                    "timeoutSeconds": 7200,
                }
            ],
        },
    ),
    (
        LOCATION,
        {
            "name": "work-dev",
            "url": "abfss://work@lakeabc.dfs.core.windows.net/",
            "credentialName": "lake-dev",
            "skipValidation": True,
        },
    ),
    (MEMBER, {"applicationId": APPLICATION, "force": True}),
    (
        PERMISSIONS,
        {"jobId": "1002", "accessControls": [{"userName": DEPLOYER, "permissionLevel": "CAN_MANAGE"}]},
    ),
    (CATALOG, {"name": "dev", "storageRoot": f"{WORK}/catalog", "forceDestroy": True}),
    (SCHEMA, {"name": "training", "catalogName": "dev", "forceDestroy": True}),
    (
        VOLUME,
        {
            "name": "work",
            "catalogName": "dev",
            "schemaName": "training",
            "volumeType": "EXTERNAL",
            "storageLocation": f"{WORK}/files",
        },
    ),
    (GRANT, {"catalog": "dev", "principal": APPLICATION, "privileges": ["READ_VOLUME", "WRITE_VOLUME"]}),
]
