"""scikit-learn's metadata routing, by which pipelines pass `sample_weight` on; it does not need scikit-learn."""

from __future__ import annotations

import importlib
from typing import Any, Self

_UNCHANGED = "$UNCHANGED$"  # scikit-learn's own mark


class MetadataConsumer:
    """The requests of an estimator whose `fit` takes `sample_weight` and whose `predict` takes `return_distance`."""

    def set_fit_request(self, *, sample_weight: bool | str | None = _UNCHANGED) -> Self:
        """Request what a meta-estimator passes to `fit`: True, False, None (an error if given) or another name for it.

        Raises
        ------
        RuntimeError
            Unless ``sklearn.set_config(enable_metadata_routing=True)``.
        """
        return self._request("fit", "sample_weight", sample_weight)

    def set_predict_request(self, *, return_distance: bool | str | None = _UNCHANGED) -> Self:
        """Request what a meta-estimator passes to `predict`; see :meth:`set_fit_request`."""
        return self._request("predict", "return_distance", return_distance)

    def get_metadata_routing(self) -> Any:
        """Return the requests, a `sklearn.utils.metadata_routing.MetadataRequest`."""
        routing = importlib.import_module("sklearn.utils.metadata_routing")
        if hasattr(self, "_metadata_request"):
            return routing.get_routing_for_object(self._metadata_request)
        request = routing.MetadataRequest(owner=type(self).__name__)
        request.fit.add_request(param="sample_weight", alias=None)
        request.predict.add_request(param="return_distance", alias=None)
        return request

    def _request(self, method: str, name: str, alias: bool | str | None) -> Self:
        if not importlib.import_module("sklearn").get_config().get("enable_metadata_routing", False):
            raise RuntimeError(
                "This method is only available when metadata routing is enabled."
                " You can enable it using sklearn.set_config(enable_metadata_routing=True)."
            )
        request = self.get_metadata_routing()
        if alias != _UNCHANGED:
            getattr(request, method).add_request(param=name, alias=alias)
        self._metadata_request = request  # copied by `sklearn.base.clone`
        return self
