"""A service in a Prefect server of the user's own: a deployment to see and to ask for runs, which decides nothing.

The clock and the job are the service's: the deployment has no schedule (a restarted server would start all missed
runs), and what a flow run asks for in its parameters is not looked at. A server that is away costs its records alone.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.states import Pending
from prefect.types.entrypoint import EntrypointType

from singanimation.flows.augment import augment
from singanimation.flows.prefect_server.crashed_runs import process_tag
from singanimation.pipeline.errors import SinganimationError, UsageError

_TAG = "service:"


class Deployment:
    """The deployment of one service. ``digest`` tells services of other inputs and outputs apart."""

    def __init__(self, name: str, digest: str, options: dict[str, Any], words: str, say: Callable[[str], None]) -> None:
        """Register it. Raises UsageError for a name that another service has, SinganimationError without a server."""
        self._name, self._say, self._away = name, say, False
        try:
            self._check_name(name, _TAG + digest)
            # fixed: what others ask for in other parameters is not looked at
            deployment: Any = augment.to_deployment(
                name,
                parameters={"options": options},
                tags=[_TAG + digest],
                description=f"augment serve, {words}.",
                entrypoint_type=EntrypointType.MODULE_PATH,
            )
            self._id = UUID(str(deployment.apply()))
        except UsageError:
            raise
        except Exception as error:
            raise SinganimationError(f"The Prefect server at PREFECT_API_URL does not take it: {error}") from None

    def begin(self, due: datetime) -> str | None:
        """Return the id of a new flow run for a due run, None where Prefect is away (which is said)."""
        return self._ask(lambda: self._create(due), "the run goes on without its records")

    def asked(self) -> str | None:
        """Return the id of a flow run that somebody asked for and that is due, None where there is none."""
        return self._ask(self._look, "nobody can ask it for runs")

    def _create(self, due: datetime) -> str:
        name = f"due {due:%Y-%m-%d %H:%M:%S%z}"
        with get_client(sync_client=True) as client:
            run = client.create_flow_run_from_deployment(self._id, state=Pending(), name=name, tags=[process_tag()])
        return str(run.id)

    def _look(self) -> str | None:
        with get_client(sync_client=True) as client:
            found = client.read_flow_runs(**_waiting(self._id), limit=1)
        return str(found[0].id) if found else None

    def _ask(self, question: Callable[[], str | None], lost: str) -> str | None:
        try:
            answer = question()
        except Exception as error:  # whatever a server or the way to it can do
            if not self._away:
                self._say(f"Prefect does not answer ({type(error).__name__}): {lost}")
            self._away = True
            return None
        self._away = False
        return answer

    @staticmethod
    def _check_name(name: str, tag: str) -> None:
        with get_client(sync_client=True) as client:
            try:
                found = client.read_deployment_by_name(f"{augment.name}/{name}")
            except ObjectNotFound:
                return
        if tag not in found.tags:
            raise UsageError(f"--name {name} is the name of another service or deployment; choose another.")


def _waiting(deployment: UUID) -> dict[str, Any]:
    from prefect.client.schemas.filters import (
        DeploymentFilter,
        DeploymentFilterId,
        FlowRunFilter,
        FlowRunFilterExpectedStartTime,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType

    return {
        "deployment_filter": DeploymentFilter(id=DeploymentFilterId(any_=[deployment])),
        "flow_run_filter": FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
            expected_start_time=FlowRunFilterExpectedStartTime.model_validate({"before_": datetime.now(UTC)}),
        ),
    }
