"""Resource groups. Deleting one deletes its contents, as in Azure; what was deleted this way is noted as swept."""

from typing import Any

from tests.simulation.resource_manager.resource_type import Call, ResourceType

GROUP = "/subscriptions/{subscription}/resourceGroups/{resourceGroupName}"


def _note_swept(call: Call) -> None:
    """Note the ids that were swept: a program that deletes in the right order leaves nothing to sweep."""
    inside = [record.id for record in call.world.under(call.id) if record.id != call.id]
    call.world.set("swept", [*call.world.setting("swept"), *inside])


def _outputs(call: Call) -> dict[str, Any]:
    return {"name": call.name, "type": "Microsoft.Resources/resourceGroups"}


TYPES = [
    ResourceType(
        pulumi_type="azure-native:resources:ResourceGroup",
        model="azure.mgmt.resource.resources.models:ResourceGroup",
        path=GROUP,
        replaces=frozenset({"location"}),
        delete_rules=(_note_swept,),
        outputs=_outputs,
    )
]
