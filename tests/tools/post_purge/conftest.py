"""The review table as it is deployed, and the ML API's own store of it."""

from tests.container.api.conftest import api_module as api_module
from tests.container.api.conftest import review_post as review_post
from tests.container.api.conftest import review_store as review_store
from tests.container.api.conftest import review_table as review_table
from tests.container.api.conftest import review_table_properties as review_table_properties
