"""Orders as an operator gives them, for tests."""

from vfnode.node.operations.acting import desk, plan_retry
from vfnode.node.operations.journal import Order
from vfnode.node.operations.plan import carry_out

ANNA = Order("anna", "the PACS is back")


def retry(settings, job_id):
    """Begin a job once more; how many jobs that changed."""
    with desk(settings, ANNA) as at:
        return carry_out(plan_retry(at, [job_id]))
