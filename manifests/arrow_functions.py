"""Arrow's compute functions under one name: pyarrow makes most as it is imported, where no type checker sees them."""

from typing import Any

import pyarrow.compute

pc: Any = pyarrow.compute
