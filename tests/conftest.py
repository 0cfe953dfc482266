import os
import sys
from pathlib import Path

# jsii takes `node` from PATH: the environment's own, not whatever the machine has.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
