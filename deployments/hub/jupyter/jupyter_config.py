"""Configuration of the Jupyter programs that students use: what turns notebooks into documents.

Found by way of JUPYTER_CONFIG_PATH, by students' servers and by `jupyter nbconvert` in their terminals.
"""

# Read by Jupyter with names of its own.
# mypy: ignore-errors

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tex_pictures import SVG_TO_PDF, convert_pandoc

c = get_config()  # noqa: F821

c.LatexExporter.filters = {"convert_pandoc": convert_pandoc}
c.SVG2PDFPreprocessor.command = [*SVG_TO_PDF, "--output={to_filename}", "{from_filename}"]
