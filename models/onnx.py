"""Runs small ONNX models on the CPU; the only importer of onnxruntime, and it knows no meaning of their numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from assist.models.errors import ModelFileError

Rows = npt.NDArray[np.float32]


class OnnxModel:
    """A loaded model with one input of shape (rows, values) and one output of shape (rows,) or (rows, 1)."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name
        self.metadata: dict[str, str] = dict(session.get_modelmeta().custom_metadata_map)

    def run(self, rows: Rows) -> Rows:
        """Output for every row."""
        (output,) = self._session.run(None, {self._input: rows})
        return np.asarray(output, np.float32).reshape(len(rows))


def load_onnx(path: Path) -> OnnxModel:
    """Load a model; raises :class:`ModelFileError` for a file that is missing or damaged."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        data = path.read_bytes()
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror}).") from None
    except Exception as error:
        raise ModelFileError(
            f"{path} is no ONNX model of this version ({type(error).__name__}). Install assist again."
        ) from None
    return OnnxModel(session)
