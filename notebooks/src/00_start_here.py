# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # 00 · Start here
#
# *Two minutes. Nothing is trained here.*
#
# Welcome. This is a course on neural recommender systems, from factorization machines to semantic IDs
# and reinforcement learning, told in notebooks. Every sentence that can be measured is measured in the
# notebook that says it, and every formula is checked against an independent implementation.
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What you will be able to do
#
# - find your way: cells, slides, exercises;
# - know that your machine is ready, or what to do if it is not;
# - know which log you are working on, and how to change it.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# **For the speaker.** Ten minutes are enough for this notebook. Let everyone run the self-check before the first lecture: it
# finds the two laptops on which something is wrong.
#

# %% slideshow={"slide_type": "skip"}
from course_utils.data.log import open_log
from course_utils.lesson import doctor, plots, syllabus

plots.use_style()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## How to move
#
# - A notebook is a sequence of **cells**. `Shift + Enter` runs a cell and goes on to the next.
# - *Run → Restart Kernel and Run All Cells* runs a notebook from top to bottom. Do this when something
#   looks odd: half of all riddles are cells that were run out of order.
# - The same notebook is a **lecture**: press the presentation button (or `Alt + R`) and move with the
#   space bar. Cells stay live.
# - **Exercises** stand at the end of each notebook, with a check that tells you where to look. The folder
#   `exercises/` holds the same notebooks without the solutions.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Is this machine ready?
#
# Each line is one finding. A ✘ says what to do about it. The same check runs in a terminal:
# `python -m course_utils doctor`.
#

# %% slideshow={"slide_type": "fragment"}
findings = doctor.diagnose()
for finding in findings:
    print(finding)

# %% slideshow={"slide_type": "fragment"}
# NBVAL_CHECK_OUTPUT
critical = [f for f in findings if f.topic.startswith(("Python", "free memory", "COURSE_"))]
print("ready to go" if all(f.ok for f in critical) else "please mend the lines marked ✘ first")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Which log?
#
# All notebooks open their data with `open_log()`. The variable `COURSE_LOG` chooses the source, before
# Jupyter is started: `COURSE_LOG=movielens make lab`.
#
# | `COURSE_LOG` | what it is | needs |
# |---|---|---|
# | `sim` (default) | a simulated music service whose true probabilities are known | nothing: generated in seconds |
# | `movielens` | 100,004 real film ratings | the extra `real` |
# | `grocery` | 1.47 million real purchases, positives only | the extra `real` |
# | `yambda-50m`, `-500m`, `-5b` | the real music log, up to 4.79 billion events | the Hugging Face Hub |
# | a path | a Parquet file or folder of your own | the schema in `data/README.md` |
#

# %% slideshow={"slide_type": "fragment"}
log = open_log()
print("this log:", log.name)
log.events.head(3).collect()

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Why a simulated log?
#
# Because somebody has to know the truth. In a real log nobody can say how good a model could possibly be.
# In the simulated one every play carries the probability with which it was played to the end, so each
# model can be shown against the best that *any* model could do. The same notebooks then run unchanged on
# real data. `data/README.md` says what is in this world, how it was calibrated, and where it differs from
# real life.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The course on one page
#

# %% slideshow={"slide_type": "fragment"}
syllabus.draw_map()

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to go now
#
# In the order of the numbers, or to what you came for; the parts rest on each other, the notebooks of a part
# hardly. What is outlined above is not written yet.
#

# %% slideshow={"slide_type": "fragment"}
syllabus.links()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# You have a machine that is ready, a log that is open, and a map. On to
# [01 · Introduction](01_introduction.ipynb).
